// The log line of a call is JSON, put together by its members.

import { expect, test } from 'vitest';
import { openLog } from '#src/drivers/log.js';
import type { CallSummary } from '#src/flows/call/deps.js';
import { summaryLine } from '#src/flows/call/summary-line.js';

const SUMMARY: CallSummary = {
  requestId: 'r-1',
  operation: 'chat',
  outcome: 'completed',
  status: 200,
  code: undefined,
  agent: 'first',
  model: 'gpt-4o',
  provider: 'openai',
  stream: false,
  attempts: 1,
  inputTokens: 12,
  outputTokens: 34,
  costNanoUsd: 1_500_000,
  heldNanoUsd: 2_000_000,
  overheadMs: 1.23456,
  firstByteMs: 20,
  durationMs: 30.5,
};

function written(summary: CallSummary): Record<string, unknown> {
  const lines: string[] = [];
  const log = openLog({ level: 'info', pretty: false, write: (line) => lines.push(line) });
  log.info(summaryLine(summary), 'call');
  return JSON.parse(lines.join(''));
}

test('all that is known of a call is in its line', () => {
  const { time, ...line } = written(SUMMARY);
  const { costNanoUsd: _cost, heldNanoUsd: _held, code: _code, ...same } = SUMMARY;
  const own = { costUsd: '0.001500', heldUsd: '0.002000', overheadMs: 1.23, durationMs: 30.5 };
  expect(line).toEqual({ level: 30, ...same, ...own, msg: 'call' });
  expect(time).toBeTypeOf('number');
});

test('what is not known of a call that was refused is left out, and odd names stay JSON', () => {
  for (const odd of ['a"b\\c\n\u00e9\u{1f600}', 'x'.repeat(300)]) {
    const names = { requestId: odd, agent: odd, model: odd, provider: undefined };
    const none = { costNanoUsd: null, firstByteMs: null, code: 'draining' };
    const line = written({ ...SUMMARY, ...names, ...none, outcome: 'refused', status: 503 });
    expect(line).toMatchObject({ requestId: odd, agent: odd, model: odd, code: 'draining' });
    expect(line.firstByteMs).toBeNull();
    for (const name of ['costUsd', 'provider']) expect(line).not.toHaveProperty(name);
  }
});
