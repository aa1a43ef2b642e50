// The log line of a call that is over, as JSON: one is written for every call. What is not known is
// left out.

import { LogMembers } from '../../core/log.js';
import { formatUsd } from '../../core/money.js';
import { quoted } from '../../core/quoted.js';
import type { CallSummary } from './deps.js';

export function summaryLine(summary: CallSummary): LogMembers {
  const { code, agent, provider, costNanoUsd } = summary;
  let text = `"requestId":${JSON.stringify(summary.requestId)},"operation":"${summary.operation}"`;
  text += `,"outcome":"${summary.outcome}","status":${summary.status}`;
  if (code !== undefined) text += `,"code":${quoted(code)}`;
  if (agent !== undefined) text += `,"agent":${quoted(agent)}`;
  text += `,"model":${quoted(summary.model)}`;
  if (provider !== undefined) text += `,"provider":${quoted(provider)}`;
  text += `,"stream":${summary.stream},"attempts":${summary.attempts}`;
  text += `,"inputTokens":${summary.inputTokens},"outputTokens":${summary.outputTokens}`;
  text += `,"firstByteMs":${summary.firstByteMs}`;
  if (costNanoUsd !== null) text += `,"costUsd":"${formatUsd(costNanoUsd)}"`;
  text += `,"heldUsd":"${formatUsd(summary.heldNanoUsd)}"`;
  text += `,"overheadMs":${round(summary.overheadMs)},"durationMs":${round(summary.durationMs)}`;
  return new LogMembers(text);
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
