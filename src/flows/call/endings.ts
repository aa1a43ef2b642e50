// How a call ends that brought no answer: released where nothing can be billed, finalized where
// something may be, and told to the client in one way.

import { ERROR_CODES, type Refused, refuse } from '../../core/errors.js';
import { headersIn } from '../../core/header-text.js';
import { NO_USAGE, type Usage } from '../../core/usage.js';
import type { Outcome } from '../../core/usage-event.js';
import type { Head } from './exchange.js';
import { finalize } from './finalize.js';
import { answerLines, passedHeaders } from './headers.js';
import { type Passage, seenOf } from './passage.js';
import { record, releaseUnbilled } from './record.js';
import { summarise, summariseRefusal } from './summary.js';

/** The upstream's own refusal goes to the client as it is; nothing is charged for it. */
export async function passOn(passage: Passage, head: Head): Promise<undefined> {
  const { call } = passage;
  await endUnanswered(passage, 'upstream_died');
  const { settlement } = passage;
  if (settlement) summarise(passage, settlement, { status: head.status });
  else summariseRefusal(passage.deps, call, refuse('upstream_error', ''), head.status);
  if (call.sink.left) {
    call.sink.destroy();
    return undefined;
  }
  const balances = settlement?.balances ?? passage.admission.reserved.balances;
  const cost = settlement?.reading.costNanoUsd ?? 0;
  const body = head.body ?? Buffer.alloc(0);
  const headers = { ...passedHeaders(head), 'content-length': String(body.length) };
  call.sink.head(head.status, headers, answerLines(passage, balances, cost));
  call.sink.end(body);
  return undefined;
}

/**
 * Nothing came back: what may be billed is booked and written down, and what is not gives its hold
 * back. `used` is what the last attempt may be billed for, beside those before it.
 */
export async function endUnanswered(
  passage: Passage,
  outcome: Outcome,
  used: Usage = NO_USAGE,
): Promise<void> {
  const { billed } = passage;
  if (billed.tokens === 0 && billed.nano_usd === 0 && used === NO_USAGE) {
    await releaseUnbilled(passage);
    return;
  }
  await passage.sent;
  const metered = { usage: used, source: 'estimated' as const };
  const settlement = await finalize(passage, {
    ...{ metered, outcome, finishReason: null, anomalies: [] },
  });
  await record(passage, settlement);
}

/**
 * What the last attempt may be billed for if it is given up before its answer: of a stream the
 * prompt, of an answer in one piece, which may be all but made, its bound.
 */
export function unansweredUsage({ call, estimate, sentAttempt, attempts }: Passage): Usage {
  if (attempts === 0 || sentAttempt !== attempts) return NO_USAGE;
  const output = call.body.stream ? 0 : estimate.outputTokensMax * call.body.choices;
  return { ...NO_USAGE, input: estimate.inputTokens, output, requests: 1 };
}

/** The client left before an answer came; one in one piece was read on for. */
export async function endLeft(passage: Passage): Promise<void> {
  const { call } = passage;
  await endUnanswered(passage, 'client_left', unansweredUsage(passage));
  const { settlement } = passage;
  if (settlement) summarise(passage, settlement, { status: LEFT });
  else summariseRefusal(passage.deps, call, refuse('request_timeout', ''), LEFT);
  call.sink.destroy();
}

// What logs of other proxies call a client that closed its request.
const LEFT = 499;

/** After a fault of our own: the hold must end all the same, at what was seen. */
export async function rescue(passage: Passage): Promise<void> {
  try {
    passage.exchange?.abort();
    if (passage.sentAttempt > 0) passage.billed = seenOf(passage);
    await endUnanswered(passage, 'upstream_died');
  } catch (error) {
    const { id } = passage.admission.reserved;
    passage.deps.log.error({ id, error }, 'a failed call could not be settled; its lease ends it');
  }
}

/** A refusal after admission: the edge writes it, unless bytes are out already. */
export function refused(passage: Passage, refusal: Refused): Refused | undefined {
  const { call, deps, admission, settlement } = passage;
  const { status } = ERROR_CODES[refusal.refused.code];
  if (settlement) summarise(passage, settlement, { status });
  else summariseRefusal(deps, call, refusal);
  if (call.sink.headSent || call.sink.left) {
    call.sink.destroy();
    return undefined;
  }
  const balances = settlement?.balances ?? admission.reserved.balances;
  const told = headersIn(answerLines(passage, balances, settlement?.reading.costNanoUsd));
  const headers = { ...told, ...refusal.refused.headers };
  return { refused: { ...refusal.refused, headers } };
}
