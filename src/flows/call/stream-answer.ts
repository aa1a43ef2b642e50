// A streaming answer from its first byte to its terminator: relayed, metered, booked, written
// down, and only then ended.

import type { Dialect, StreamReader } from '../../core/dialect.js';
import { available } from '../../core/envelope.js';
import { CodedError, refuse } from '../../core/errors.js';
import { formatUsd } from '../../core/money.js';
import type { UpstreamFailure } from '../../core/upstream.js';
import type { Outcome } from '../../core/usage-event.js';
import type { Exchange, Head } from './exchange.js';
import { finalize } from './finalize.js';
import { forgetRequest } from './forget-request.js';
import { createGate } from './gate.js';
import { answerLines, passedHeaders, STREAM_HEADERS } from './headers.js';
import type { SentMark } from './marks.js';
import { createMeter } from './meter.js';
import type { Passage, Settlement } from './passage.js';
import { record } from './record.js';
import { relayStream, type StreamEnd } from './relay.js';

export async function answerStream(
  passage: Passage,
  dialect: Dialect,
  head: Head,
  exchange: Exchange,
): Promise<Settlement> {
  const { call, deps, target, estimate } = passage;
  const { quirks } = target.provider;
  const reader = dialect.createReader({ wantsUsage: call.body.wantsUsage, quirks });
  const meter = createMeter(reader, target, estimate, deps.countText);
  passage.metered = () => meter.seen();
  const gate = createGate(passage, meter);
  sentIsKept(passage, exchange, await passage.sent);
  forgetRequest(call.body);
  const end = await relayStream(exchange, reader, call.sink, {
    clock: deps.clock,
    gate,
    writeStallMs: deps.options.writeStallMs,
    onFirstByte() {
      passage.firstByteMs = deps.clock.elapsedMs();
      const balances = passage.admission.reserved.balances;
      const headers = Object.assign(passedHeaders(head), STREAM_HEADERS);
      call.sink.head(head.status, headers, answerLines(passage, balances));
      // A provider may have told much in them, and the stream lasts.
      head.headers = NO_HEADERS;
    },
    onChunk: () => deps.failpoint('chunk'),
  });
  passage.lastByteMs = deps.clock.elapsedMs();
  tellHealth(passage, end);
  const settlement = await finalize(passage, {
    metered: await meter.finish(),
    outcome: outcomeOf(end, reader),
    finishReason: reader.finishReason,
    anomalies: reader.anomalies,
    answerId: reader.answerId,
  });
  deps.failpoint('post_finalize');
  const written = await record(passage, settlement);
  const told = reader.failure !== undefined;
  endStream(passage, dialect, end, settlement, { written, told, reader });
  return settlement;
}

const NO_HEADERS: Head['headers'] = {};

/** What ledger and log said of `sent`: the first byte to the client waits for it. */
export function sentIsKept(passage: Passage, exchange: Exchange, mark: SentMark | undefined): void {
  if (mark === undefined || mark === 'marked') return;
  exchange.abort();
  passage.overruled ??=
    mark === 'gone'
      ? refuse('ledger_unavailable', 'The call was ended: its hold had ended.')
      : refuse('usage_log_unavailable', 'The usage log could not be written.');
}

/** An answer that breaks off is a failure of its target, unless we broke it off ourselves. */
export function tellHealth(
  { deps, target }: Passage,
  end: { kind: string; failure?: UpstreamFailure | undefined },
): void {
  if (end.kind !== 'died') deps.health.succeeded(target.id);
  else if (end.failure?.kind !== 'aborted') deps.health.failed(target.id);
}

// A stream may end properly and say that it failed.
function outcomeOf(end: StreamEnd, reader: StreamReader): Outcome {
  if (end.kind === 'complete') return reader.failure ? 'upstream_died' : 'completed';
  if (end.kind === 'cut') return 'cut_by_budget';
  if (end.kind === 'client_left') return 'client_left';
  return end.failure?.kind === 'idle_timeout' ? 'upstream_timeout' : 'upstream_died';
}

// A reader must never take a broken stream for a whole one: no terminator without a durable event.
function endStream(
  passage: Passage,
  dialect: Dialect,
  end: StreamEnd,
  settlement: Settlement,
  state: EndState,
): void {
  const { reader } = state;
  const { call, target } = passage;
  const { sink } = call;
  if (end.kind === 'client_left' || sink.left) return sink.destroy();
  if (end.kind === 'complete') {
    if (!state.written) return sink.destroy();
    return sink.end(dialect.writeDone(costComment(settlement), reader));
  }
  if (end.kind === 'cut') return endCut(passage, dialect, settlement, state);
  if (!sink.headSent) {
    // Nothing went out yet, so the failure can still have a status of its own.
    throw new CodedError('upstream_error', `${target.provider.name} broke off: ${end.message}.`);
  }
  if (state.told) return sink.end();
  const message = `${target.provider.name} broke off: ${end.message}.`;
  const { refused } = passage.overruled ?? refuse('upstream_error', message);
  sink.end(dialect.writeFailure(refused, reader));
}

// The money ended: the stream gets a proper end of its wire format, so that no client takes it for
// a failure and asks again.
function endCut(
  passage: Passage,
  dialect: Dialect,
  settlement: Settlement,
  { written, reader }: EndState,
): void {
  const { sink } = passage.call;
  if (!sink.headSent) {
    throw new CodedError('budget_exceeded', 'The budget has no room for one event of the answer.');
  }
  if (!written || reader.midEvent) return sink.destroy();
  const { reading } = settlement;
  const cost = formatUsd(reading.costNanoUsd);
  const purser = { terminated_by: 'budget', cost_usd: cost };
  const cut = { usage: reading.usage, comment: costComment(settlement), purser };
  sink.end(dialect.writeCut(reader, cut));
}

interface EndState {
  written: boolean;
  /** The client has been told of the failure by the upstream itself. */
  told: boolean;
  reader: StreamReader;
}

function costComment(settlement: Settlement): string {
  const parts = [`cost_usd=${formatUsd(settlement.reading.costNanoUsd)}`];
  let least: number | null = null;
  for (const balance of settlement.balances) {
    if (balance.unit !== 'nano_usd') continue;
    const left = available(balance);
    if (left !== null && (least === null || left < least)) least = left;
  }
  if (least !== null) parts.push(`remaining_usd=${formatUsd(least)}`);
  return `purser ${parts.join(' ')}`;
}
