import { expect, test } from 'vitest';
import { type CallMeasure, openMetrics } from '#src/drivers/metrics.js';

const CALL: CallMeasure = {
  operation: 'chat',
  outcome: 'completed',
  status: 200,
  provider: 'openai',
  model: 'gpt-4o',
  inputTokens: 100,
  outputTokens: 20,
  costNanoUsd: 2_000_000,
  heldNanoUsd: 4_000_000,
  overheadMs: 1.5,
  firstByteMs: 300,
  durationMs: 1_200,
};

const sample = (text: string, line: RegExp) =>
  Number(
    text
      .split('\n')
      .find((one) => line.test(one))
      ?.split(' ')
      .at(-1),
  );

test('calls, tokens, money and times are told as they were added', async () => {
  const metrics = openMetrics({ processMetrics: false });
  metrics.call(CALL);
  metrics.call({ ...CALL, durationMs: 20_000 });
  metrics.call({ ...CALL, status: 402, outcome: 'refused', code: 'budget_exceeded' });
  const { text, contentType } = await metrics.text();
  expect(contentType).toContain('text/plain');
  expect(sample(text, /^purser_calls_total\{.*status="200"/)).toBe(2);
  expect(sample(text, /^purser_calls_total\{.*error_type="budget_exceeded"/)).toBe(1);
  expect(sample(text, /^purser_cost_usd_total/)).toBeCloseTo(0.006);
  expect(sample(text, /token_usage_sum\{.*"input"/)).toBe(300);
  const bucket = (le: string) =>
    sample(text, new RegExp(`operation_duration_seconds_bucket\\{.*error_type="",le="${le}"`));
  expect([bucket('1'), bucket('2.5'), bucket('30'), bucket('\\+Inf')]).toEqual([0, 1, 2, 2]);
  expect(sample(text, /^purser_hold_efficiency_sum/)).toBeCloseTo(1.5);
});

test('invented model names make no more series than a cap', async () => {
  const metrics = openMetrics({ processMetrics: false });
  const series = async () => (await metrics.text()).text.split('\n').length;
  for (let index = 0; index < 300; index += 1) metrics.call({ ...CALL, model: `m${index}` });
  const before = await series();
  for (let index = 300; index < 3_000; index += 1) metrics.call({ ...CALL, model: `m${index}` });
  expect(await series()).toBe(before);
  expect((await metrics.text()).text).toContain('gen_ai_request_model="other"');
});

test('gauges are read when somebody scrapes, events count from zero', async () => {
  const metrics = openMetrics({ processMetrics: false });
  let held = 3;
  metrics.gauge('purser_reservations_held', 'Open reservations', () => held);
  metrics.count('reservations_reaped');
  metrics.count('reservations_reaped', 4);
  held = 7;
  const { text } = await metrics.text();
  expect(sample(text, /^purser_reservations_held /)).toBe(7);
  expect(sample(text, /^purser_reservations_reaped_total /)).toBe(5);
  expect(text).toContain('# TYPE purser_reservations_held gauge');
});

test('a gauge that cannot be read hides no other', async () => {
  const metrics = openMetrics({ processMetrics: false });
  metrics.gauge('purser_drift', 'Drift', () => Promise.reject(new Error('SQL is away')));
  metrics.gauge('purser_reservations_held', 'Open reservations', () => 7);
  const { text } = await metrics.text();
  expect(text).toMatch(/^purser_drift Nan$/im);
  expect(sample(text, /^purser_reservations_held /)).toBe(7);
});
