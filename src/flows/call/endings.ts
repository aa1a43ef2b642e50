// How a call ends that brought no answer: released where nothing can be billed, finalized where
// something may be, and told to the client in one way.

import { type Refused, refuse } from '../../core/errors.js';
import { NO_USAGE } from '../../core/usage.js';
import type { Outcome } from '../../core/usage-event.js';
import type { Head } from './exchange.js';
import { finalize } from './finalize.js';
import { answerHeaders, passedHeaders } from './headers.js';
import { type Passage, plus, spendSoFar } from './passage.js';
import { record, releaseUnbilled } from './record.js';
import { summarise, summariseRefusal } from './summary.js';

/** The upstream's own refusal goes to the client as it is; nothing is charged. */
export async function passOn(passage: Passage, head: Head): Promise<undefined> {
  const { call } = passage;
  const billed = await endUnanswered(passage, 'upstream_died');
  if (!billed) summariseRefusal(passage.deps, call, refuse('upstream_error', ''), head.status);
  if (call.sink.left) {
    call.sink.destroy();
    return undefined;
  }
  const balances = passage.admission.reserved.balances;
  const body = head.body ?? Buffer.alloc(0);
  call.sink.head(head.status, {
    ...passedHeaders(head),
    ...answerHeaders(passage, balances, billed ? undefined : 0),
    'content-length': String(body.length),
  });
  call.sink.end(body);
  return undefined;
}

/**
 * Nothing came back: what may be billed is booked and written down (true), and what is not gives
 * its hold back (false).
 */
export async function endUnanswered(passage: Passage, outcome: Outcome): Promise<boolean> {
  if (passage.billed.tokens === 0 && passage.billed.nano_usd === 0) {
    await releaseUnbilled(passage);
    return false;
  }
  await passage.sent;
  const metered = { usage: { ...NO_USAGE }, source: 'estimated' as const };
  const ended = { metered, outcome, finishReason: null, anomalies: [] };
  const settlement = await finalize(passage, ended);
  await record(passage, settlement);
  summarise(passage, settlement, { status: outcome === 'client_left' ? 499 : 502 });
  return true;
}

/**
 * The client left before an answer came. A stream's prompt is charged if it was sent; an answer in
 * one piece was read on for, so what it cost is known only by its bound.
 */
export async function endLeft(passage: Passage): Promise<void> {
  const { call, estimate } = passage;
  if (passage.sentAttempt === passage.attempts) {
    const spent = call.body.stream ? estimate.floor : { ...estimate.hold, concurrency: 0 };
    passage.billed = plus(passage.billed, spent);
  }
  const billed = await endUnanswered(passage, 'client_left');
  if (!billed) summariseRefusal(passage.deps, call, refuse('request_timeout', ''), 499);
  call.sink.destroy();
}

/** After a fault of our own: the hold must end all the same, at what was seen. */
export async function rescue(passage: Passage): Promise<void> {
  try {
    passage.exchange?.abort();
    if (passage.sentAttempt > 0) passage.billed = spendSoFar(passage);
    await endUnanswered(passage, 'upstream_died');
  } catch (error) {
    const { id } = passage.admission.reserved;
    passage.deps.log.error({ id, error }, 'a failed call could not be settled; its lease ends it');
  }
}

/** A refusal after admission: the edge writes it, unless bytes are out already. */
export function refused(passage: Passage, refusal: Refused): Refused | undefined {
  const { call, deps, admission } = passage;
  if (call.sink.headSent || call.sink.left) {
    call.sink.destroy();
    return undefined;
  }
  const told = answerHeaders(passage, admission.reserved.balances);
  const headers = { ...told, ...refusal.refused.headers };
  return summariseRefusal(deps, call, { refused: { ...refusal.refused, headers } });
}
