// What is told of a call once it is over, for the log line and the counters.

import type { Call } from '../../core/call.js';
import { ERROR_CODES, type Refused } from '../../core/errors.js';
import { inputTokens, outputTokens } from '../../core/usage.js';
import type { CallDeps } from './deps.js';
import type { Passage, Settlement } from './passage.js';

export function summarise(
  passage: Passage,
  settlement: Settlement,
  ended: { status: number },
): void {
  const { call, deps, caller } = passage;
  const { reading } = settlement;
  deps.told({
    requestId: call.requestId,
    operation: call.operation,
    outcome: reading.outcome,
    status: ended.status,
    code: undefined,
    agent: caller.attribution.agentName,
    model: reading.model,
    provider: reading.provider,
    stream: call.body.stream,
    attempts: reading.attempts,
    inputTokens: inputTokens(reading.usage),
    outputTokens: outputTokens(reading.usage),
    costNanoUsd: reading.costNanoUsd,
    heldNanoUsd: passage.held.nano_usd,
    overheadMs: passage.dispatchedMs === 0 ? 0 : passage.dispatchedMs - call.arrivedMs,
    firstByteMs: reading.firstByteMs,
    durationMs: deps.clock.elapsedMs() - call.arrivedMs,
  });
}

/** Tells of a call that ended without a row, and hands the refusal on. */
export function summariseRefusal(
  deps: CallDeps,
  call: Call,
  refusal: Refused,
  status?: number,
): Refused {
  const { code, status: own } = refusal.refused;
  deps.told({
    requestId: call.requestId,
    operation: call.operation,
    outcome: status === undefined ? 'refused' : 'passed',
    status: status ?? own ?? ERROR_CODES[code].status,
    code: status === undefined ? code : undefined,
    agent: undefined,
    model: call.body.model,
    provider: undefined,
    stream: call.body.stream,
    attempts: 0,
    inputTokens: 0,
    outputTokens: 0,
    costNanoUsd: null,
    heldNanoUsd: 0,
    overheadMs: deps.clock.elapsedMs() - call.arrivedMs,
    firstByteMs: null,
    durationMs: deps.clock.elapsedMs() - call.arrivedMs,
  });
  return refusal;
}
