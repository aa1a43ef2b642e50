import { expect, test } from 'vitest';
import type { Database } from '#src/drivers/database.js';
import { bucketOf, factorOf, tokensWithin } from '#src/rules/tokens/calibrate.js';
import { createCalibration } from '#src/stores/calibration.js';
import { seeded } from '../../support/seeded.js';

const text = (bytes: number, fixedTokens = 7) => ({ bytes, fixedTokens });

/** What is seen of prompts of a tokenizer that makes `share` tokens a byte, more or less. */
function seenOf(share: number, count: number): Map<number, number> {
  const random = seeded(5);
  const seen = new Map<number, number>();
  for (let call = 0; call < count; call += 1) {
    const bytes = 50 + random.below(5_000);
    const told = Math.round(7 + bytes * share * (0.8 + random.below(400) / 1_000));
    const bucket = bucketOf(text(bytes), told)!;
    seen.set(bucket, (seen.get(bucket) ?? 0) + 1);
  }
  return seen;
}

test('a factor covers all but a thousandth of what was seen, with five in a hundred to spare', () => {
  const factor = factorOf(seenOf(0.3, 5_000))!;
  expect(factor).toBeGreaterThan(0.3 * 1.19 * 1.05);
  expect(factor).toBeLessThan(0.3 * 1.2 * 1.05 + 0.01);
});

test('too few say nothing, and a factor is never below a sixth nor above one', () => {
  expect(factorOf(seenOf(0.3, 199))).toBeUndefined();
  expect(factorOf(seenOf(0.01, 500))).toBe(1 / 6);
  expect(factorOf(seenOf(3, 500))).toBe(1);
  expect(bucketOf(text(0), 5)).toBeUndefined();
});

test('what has tokens by itself is beside the text', () => {
  expect(bucketOf(text(1_000, 500), 750)).toBe(125);
  expect(tokensWithin(text(1_000, 500), 0.25)).toBe(750);
});

/** A database that adds up what it is sent. */
function adding() {
  const sums = new Map<string, number>();
  let isAway = false;
  const query = async (sql: string, params: unknown[][] = []) => {
    if (isAway) throw new Error('away');
    if (sql.startsWith('select')) {
      return [...sums].map(([key, seen]) => {
        const [target, bucket] = key.split(' ');
        return { target, bucket: Number(bucket), seen };
      });
    }
    const [targets = [], buckets = [], seen = []] = params;
    for (const [i, target] of targets.entries()) {
      const key = `${target} ${buckets[i]}`;
      sums.set(key, (sums.get(key) ?? 0) + Number(seen[i]));
    }
    return [];
  };
  const away = (value: boolean) => {
    isAway = value;
  };
  return { database: { query } as unknown as Database, sums, away };
}

test('gateways learn from each other, and nothing is counted twice or lost', async () => {
  const { database, sums, away } = adding();
  const [one, two] = [createCalibration(database), createCalibration(database)];
  for (let call = 0; call < 150; call += 1) {
    one.note('p/m', text(1_000, 0), 300);
    two.note('p/m', text(1_000, 0), 200);
  }
  expect(one.factor('p/m')).toBeUndefined();
  away(true);
  await expect(one.sync()).rejects.toThrow('away');
  away(false);
  for (let round = 0; round < 2; round += 1) {
    await one.sync();
    await two.sync();
  }
  expect([...sums]).toEqual([
    ['p/m 150', 150],
    ['p/m 100', 150],
  ]);
  await one.sync();
  expect(one.factor('p/m')).toBeCloseTo(0.315);
  expect(two.factors()).toEqual([{ target: 'p/m', factor: one.factor('p/m') }]);
});
