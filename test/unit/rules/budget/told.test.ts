// What a caller is told: which refusal, in which words, and the headers of an answer.

import { describe, expect, it } from 'vitest';
import type { Balance, Envelope } from '#src/core/envelope.js';
import { headersIn } from '#src/core/header-text.js';
import { UTC_CALENDAR } from '#src/core/period.js';
import { type NoRoom, refusalOf } from '#src/rules/budget/refusal.js';
import { budgetLines, durationText } from '#src/rules/budget/tightest.js';

const NOW_MS = Date.UTC(2026, 10, 21, 9, 41, 30);
const USD = 1_000_000_000;

function envelope(over: Partial<Envelope> = {}): Envelope {
  return {
    id: 'limit:1',
    scope: 'agent:coder-7',
    unit: 'nano_usd',
    period: 'daily',
    calendar: UTC_CALENDAR,
    limit: 5 * USD,
    mode: 'block',
    strict: false,
    visible: true,
    onLedgerDown: 'refuse',
    version: 1,
    thresholds: [0.5, 0.8],
    ...over,
  };
}

function noRoom(of: Envelope, over: Partial<NoRoom> = {}): NoRoom {
  const { id, unit, limit } = of;
  const label = '2026-11-21';
  const amounts = { needed: 1, limit: limit!, committed: limit!, reserved: 0 };
  return { envelope: id, label, unit, ...amounts, ...over };
}

const DAILY = envelope();
const RATE = envelope({ id: 'limit:2', unit: 'requests', period: 'minutely', limit: 60 });
const SLOTS = envelope({ id: 'limit:3', unit: 'concurrency', period: 'ever', limit: 4 });

const budgetHeaders = (...asked: Parameters<typeof budgetLines>) =>
  headersIn(budgetLines(...asked));

function told(shortages: readonly NoRoom[], envelopes = [DAILY, RATE, SLOTS]) {
  return refusalOf(shortages, envelopes, NOW_MS).refused;
}

describe('a refusal', () => {
  it('says that the call is larger than the whole budget, that it is spent, or that it is held', () => {
    const code = (over: Partial<NoRoom>) => told([noRoom(DAILY, over)]).code;
    const limit = 100;
    expect(code({ needed: 101, limit, committed: 0 })).toBe('request_exceeds_budget');
    expect(code({ needed: 100, limit, committed: 1 })).toBe('budget_exceeded');
    expect(code({ needed: 100, limit, committed: 0, reserved: 1 })).toBe('budget_in_flight');
    expect(code({ needed: 0, limit: 0, committed: 0 })).toBe('request_exceeds_budget');
    expect(code({ needed: 0, limit, committed: 101 })).toBe('budget_exceeded');
  });

  it('is a rate for requests and tokens by the minute or hour, and for calls at once', () => {
    expect(told([noRoom(RATE)]).code).toBe('rate_limit_exceeded');
    expect(told([noRoom(SLOTS, { committed: 0, reserved: 4 })]).code).toBe('concurrency_limit');
    const hourly = envelope({ unit: 'tokens', period: 'hourly', limit: 10 });
    expect(told([noRoom(hourly)], [hourly]).code).toBe('rate_limit_exceeded');
  });

  it('is a budget for money at every period, and for requests and tokens by the day', () => {
    for (const period of ['minutely', 'hourly', 'daily', 'ever'] as const) {
      const money = envelope({ period });
      expect(told([noRoom(money)], [money]).code).toBe('budget_exceeded');
    }
    const daily = envelope({ unit: 'requests', limit: 10 });
    expect(told([noRoom(daily)], [daily]).code).toBe('budget_exceeded');
  });

  it('tells the budget where a rate refuses too, and the most final of several', () => {
    expect(told([noRoom(RATE), noRoom(SLOTS), noRoom(DAILY)]).code).toBe('budget_exceeded');
    const monthly = envelope({ id: 'limit:9', scope: 'global', period: 'monthly' });
    const held = noRoom(DAILY, { committed: 0, reserved: 5 * USD });
    const refusal = told([held, noRoom(monthly)], [DAILY, monthly]);
    expect(refusal.metadata).toMatchObject({ scope: 'global', resets_at: '2026-12-01T00:00:00Z' });
  });

  it('names the budget, its amounts and when it resets', () => {
    const amounts = { needed: 150_000_000, committed: 4_860_000_000, reserved: 20_000_000 };
    const refusal = told([noRoom(DAILY, amounts)]);
    expect(refusal.message).toBe(
      'The budget "agent:coder-7" (5.000000 USD, daily) has 0.120000 USD left; ' +
        'this call may need 0.150000 USD. It resets at 2026-11-22T00:00:00Z.',
    );
    expect(refusal.metadata).toEqual({
      scope: 'agent:coder-7',
      envelope: 'limit:1',
      unit: 'usd',
      limit: '5.000000',
      spent: '4.860000',
      reserved: '0.020000',
      requested: '0.150000',
      resets_at: '2026-11-22T00:00:00Z',
    });
  });

  it('gives tokens as numbers, and no reset where nothing renews', () => {
    const tokens = envelope({ unit: 'tokens', period: 'ever', limit: 1000 });
    const refusal = told([noRoom(tokens, { needed: 7 })], [tokens]);
    expect(refusal.metadata).toMatchObject({ unit: 'tokens', limit: 1000, requested: 7 });
    expect(refusal.metadata?.resets_at).toBeNull();
    expect(refusal.message).toContain('It does not renew.');
  });

  it('shows neither name nor amounts of a budget that the caller may not see', () => {
    const hidden = envelope({ id: 'limit:5', scope: 'global', limit: 77 * USD, visible: false });
    const refusal = told([noRoom(hidden)], [hidden]);
    expect(JSON.stringify(refusal)).not.toMatch(/77|limit:5|global/);
    expect(refusal.message).toContain('resets at');
    const both = told([noRoom(hidden), noRoom(DAILY)], [hidden, DAILY]);
    expect(both.metadata?.scope).toBe('agent:coder-7');
  });

  it('stops clients from asking again for a budget, and tells them when for a rate', () => {
    const untilMidnight = 14 * 3600 + 18 * 60 + 30;
    expect(told([noRoom(DAILY)]).headers).toEqual({
      'x-should-retry': 'false',
      'retry-after': `${untilMidnight}`,
      'retry-after-ms': `${untilMidnight}000`,
    });
    const lasting = envelope({ period: 'ever' });
    expect(told([noRoom(lasting)], [lasting]).headers).toEqual({ 'x-should-retry': 'false' });
    const minutely = envelope({ period: 'minutely' });
    const late = noRoom(minutely, { committed: 0, reserved: 5 * USD });
    const atTheEnd = refusalOf([late], [minutely], NOW_MS + 29_500).refused;
    expect(atTheEnd.headers).toMatchObject({ 'retry-after': '1', 'retry-after-ms': '500' });
    const held = noRoom(DAILY, { committed: 0, reserved: 5 * USD });
    expect(told([held]).headers).toEqual({
      'x-should-retry': 'false',
      'retry-after': '2',
      'retry-after-ms': '2000',
    });
    expect(told([noRoom(RATE)]).headers).toEqual({
      'retry-after': '30',
      'retry-after-ms': '30000',
    });
    const tooLarge = told([noRoom(RATE, { needed: 61 })]);
    expect(tooLarge.code).toBe('rate_limit_exceeded');
    expect(tooLarge.headers).toEqual({ 'x-should-retry': 'false' });
  });

  it('never speaks of a quota in a rate: clients match that and give up', () => {
    for (const one of [RATE, SLOTS]) {
      expect(told([noRoom(one)]).message).not.toMatch(/quota/i);
    }
  });

  it('asserts that the ledger refused by an envelope of the call', () => {
    expect(() => told([noRoom(envelope({ id: 'limit:x' }))])).toThrow('limit:x');
  });
});

describe('the headers of an answer', () => {
  const balance = (of: Envelope, over: Partial<Balance> = {}): Balance => ({
    envelope: of.id,
    label: '2026-11-21',
    unit: of.unit,
    limit: of.limit,
    mode: of.mode,
    committed: 0,
    reserved: 0,
    overrun: 0,
    ...over,
  });

  it('show the tightest budget by the share that is left', () => {
    const small = envelope({ id: 'limit:0', limit: 1 * USD });
    const headers = budgetHeaders(
      [small, DAILY],
      [
        balance(small, { committed: 100_000_000 }),
        balance(DAILY, { committed: 4_200_000_000, reserved: 20_000_000 }),
      ],
      NOW_MS,
    );
    expect(headers).toMatchObject({
      'x-purser-budget-scope': 'agent:coder-7',
      'x-purser-budget-limit-usd': '5.000000',
      'x-purser-budget-spent-usd': '4.200000',
      'x-purser-budget-reserved-usd': '0.020000',
      'x-purser-budget-remaining-usd': '0.780000',
      'x-purser-budget-reset': '2026-11-22T00:00:00Z',
      'x-purser-budget-warning': '0.8',
    });
  });

  it('show token amounts under names of their own', () => {
    const tokens = envelope({ unit: 'tokens', period: 'ever', limit: 1000, thresholds: [] });
    const headers = budgetHeaders([tokens], [balance(tokens, { label: 'ever' })], NOW_MS);
    expect(headers).toEqual({
      'x-purser-budget-scope': 'agent:coder-7',
      'x-purser-budget-limit-tokens': '1000',
      'x-purser-budget-spent-tokens': '0',
      'x-purser-budget-reserved-tokens': '0',
      'x-purser-budget-remaining-tokens': '1000',
      'x-purser-budgets': '"agent:coder-7";u="tokens";l="1000";s="0";h="0";r="1000"',
    });
  });

  it('list every visible envelope, and none that is not', () => {
    const hidden = envelope({ id: 'limit:4', scope: 'global', visible: false });
    const odd = envelope({ id: 'limit:6', scope: 'tag:a="b\\c"', limit: null });
    const city = envelope({ id: 'limit:7', scope: 'task:Zürich 5%' });
    const all = [DAILY, hidden, odd, city];
    const headers = budgetHeaders(
      all,
      all.map((one) => balance(one, { committed: 1_204_310_000, reserved: 20_000_000 })),
      NOW_MS,
    );
    const figures = 's="1.204310";h="0.020000"';
    expect(headers['x-purser-budgets']).toBe(
      [
        `"agent:coder-7";u="usd";l="5.000000";${figures};r="3.775690";t=1795305600`,
        `"tag:a=\\"b\\\\c\\"";u="usd";${figures};t=1795305600`,
        `%"task:Z%c3%bcrich 5%25";u="usd";l="5.000000";${figures};r="3.775690";t=1795305600`,
      ].join(', '),
    );
    expect(1795305600 * 1000).toBe(Date.UTC(2026, 10, 22));
  });

  it('show what is left of the rates by the names that clients know', () => {
    const label = '2026-11-21T09:41';
    const tokens = envelope({ id: 'limit:8', unit: 'tokens', period: 'hourly', limit: 9000 });
    const headers = budgetHeaders(
      [RATE, tokens],
      [
        balance(RATE, { label, committed: 10, reserved: 2 }),
        balance(tokens, { label: '2026-11-21T09', reserved: 1000 }),
      ],
      NOW_MS,
    );
    expect(headers).toMatchObject({
      'x-ratelimit-limit-requests': '60',
      'x-ratelimit-remaining-requests': '48',
      'x-ratelimit-reset-requests': '30s',
      'x-ratelimit-limit-tokens': '9000',
      'x-ratelimit-remaining-tokens': '8000',
      'x-ratelimit-reset-tokens': '18m30s',
    });
    expect(headers['x-purser-budget-scope']).toBeUndefined();
  });

  it('say nothing of a rate whose minute is over, and no reset of a day that is', () => {
    const headers = budgetHeaders(
      [RATE, DAILY],
      [balance(RATE, { label: '2026-11-21T09:40' }), balance(DAILY, { label: '2026-11-20' })],
      NOW_MS,
    );
    expect(Object.keys(headers).filter((name) => name.startsWith('x-ratelimit'))).toEqual([]);
    expect(headers['x-purser-budget-reset']).toBeUndefined();
  });

  it('keep a name that would break the line out of the headers', () => {
    const bad = envelope({ scope: 'task:a\r\nset-cookie: x' });
    const headers = budgetHeaders([bad], [balance(bad)], NOW_MS);
    for (const value of Object.values(headers)) expect(value).toMatch(/^[\x20-\x7e]*$/);
    expect(headers['x-purser-budget-scope']).toBe('task:a%0d%0aset-cookie: x');
  });

  it('write durations as OpenAI does', () => {
    expect([0.2, 999, 1000, 61_000, 360_000, 3_723_000].map(durationText)).toEqual([
      '1ms',
      '999ms',
      '1s',
      '1m1s',
      '6m0s',
      '1h2m3s',
    ]);
  });
});
