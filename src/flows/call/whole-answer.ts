// An answer in one piece: read whole, booked, written down, and sent with its true cost in its
// headers.

import type { AnswerReading, Dialect } from '../../core/dialect.js';
import { CodedError } from '../../core/errors.js';
import { isJsonObject, parseJson } from '../../core/json.js';
import { NO_USAGE } from '../../core/usage.js';
import { type AnswerEnd, readAnswer } from './answer.js';
import { type Exchange, FAILURES, type Head } from './exchange.js';
import { finalize } from './finalize.js';
import { answerLines, passedHeaders } from './headers.js';
import type { Metered } from './meter.js';
import type { Passage, Settlement } from './passage.js';
import { record } from './record.js';
import { sentIsKept, tellHealth } from './stream-answer.js';

export async function answerWhole(
  passage: Passage,
  dialect: Dialect,
  head: Head,
  exchange: Exchange,
): Promise<Settlement> {
  const { call, deps } = passage;
  const { sink } = call;
  passage.firstByteMs = deps.clock.elapsedMs();
  sentIsKept(passage, exchange, await passage.sent);
  const answering = readAnswer(exchange, sink, deps.options.answerBytesMax, () => {
    const balances = passage.admission.reserved.balances;
    sink.head(head.status, passedHeaders(head), answerLines(passage, balances));
  });
  const end = answering instanceof Promise ? await answering : answering;
  passage.lastByteMs = deps.clock.elapsedMs();
  tellHealth(passage, end);
  const reading = readingOf(passage, dialect, end);
  const booking = finalize(passage, {
    metered: meteredWhole(passage, end, reading),
    outcome: outcomeOf(passage, end),
    finishReason: reading?.finishReason ?? null,
    anomalies: reading?.anomalies ?? [],
    answerId: reading?.id,
  });
  const settlement = booking instanceof Promise ? await booking : booking;
  deps.failpoint('post_finalize');
  const written = await record(passage, settlement);
  send(passage, head, end, settlement, written);
  return settlement;
}

function readingOf(passage: Passage, dialect: Dialect, end: AnswerEnd): AnswerReading | undefined {
  if (end.kind !== 'whole') return undefined;
  const json = parseJson(end.body.toString('utf8'));
  return isJsonObject(json) ? dialect.readAnswer(json, passage.target.provider.quirks) : undefined;
}

// The usage that the provider told, else the whole bound: nothing else is known of an answer that
// cannot be read.
function meteredWhole(
  passage: Passage,
  end: AnswerEnd,
  reading: AnswerReading | undefined,
): Metered {
  if (reading?.usage) {
    return { usage: reading.usage, source: 'provider', serviceTier: reading.serviceTier };
  }
  const { estimate, call } = passage;
  const billable = end.kind !== 'died' || end.failure.sent;
  const output = billable ? estimate.outputTokensMax * call.body.choices : 0;
  const usage = { ...NO_USAGE, input: estimate.inputTokens, output, requests: 1 };
  return { usage, source: 'estimated' };
}

function outcomeOf(
  passage: Passage,
  end: AnswerEnd,
): 'completed' | 'client_left' | 'upstream_died' {
  if (passage.call.sink.left) return 'client_left';
  return end.kind === 'died' ? 'upstream_died' : 'completed';
}

function send(
  passage: Passage,
  head: Head,
  end: AnswerEnd,
  settlement: Settlement,
  written: boolean,
): void {
  const { call, target } = passage;
  const { sink } = call;
  if (sink.left) return sink.destroy();
  if (end.kind === 'passed_on') return written ? sink.end() : sink.destroy();
  if (end.kind === 'died') {
    if (sink.headSent) return sink.destroy();
    const message = `${target.provider.name} broke off: ${FAILURES[end.failure.kind]}.`;
    throw new CodedError('upstream_error', message);
  }
  if (!written) {
    throw new CodedError('usage_log_unavailable', 'The answer could not be written down.');
  }
  const { costNanoUsd } = settlement.reading;
  const headers = passedHeaders(head);
  headers['content-length'] = String(end.body.length);
  sink.head(head.status, headers, answerLines(passage, settlement.balances, costNanoUsd));
  sink.end(end.body);
}
