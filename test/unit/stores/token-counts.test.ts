import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Encoding } from '#src/rules/tokens/encoding.js';
import { createTokenCounts } from '#src/stores/token-counts.js';

/** Counts characters, remembers what it was asked, and is slow where told. */
function fakeTokenizer(slow = false) {
  const asked: string[] = [];
  const countAll = (_: Encoding, texts: readonly string[]) => {
    asked.push(...texts);
    const counts = texts.map((text) => text.length);
    return slow ? Promise.resolve(counts) : counts;
  };
  return { asked, countAll };
}

const LONG = 'x'.repeat(100);

describe('token counts', () => {
  test('a piece is counted once, and the sum is that of all pieces', () => {
    const tokenizer = fakeTokenizer();
    const counts = createTokenCounts({ tokenizer });
    expect(counts.countPieces('o200k_base', ['ab', LONG, 'ab', ''])).toBe(104);
    expect(counts.countPieces('o200k_base', ['ab', LONG, 'abc'])).toBe(105);
    expect(tokenizer.asked).toEqual(['ab', LONG, '', 'abc']);
    expect(counts.state()).toMatchObject({ entries: 4, hits: 2, misses: 4 });
  });

  test('the answer is a promise only while something large is not known', async () => {
    const tokenizer = fakeTokenizer(true);
    const counts = createTokenCounts({ tokenizer });
    const first = counts.countPieces('o200k_base', [LONG]);
    expect(first).toBeInstanceOf(Promise);
    expect(await first).toBe(100);
    expect(counts.countPieces('o200k_base', [LONG])).toBe(100);
  });

  test('texts are counted each by itself, in their order, and remembered for both ways', async () => {
    const tokenizer = fakeTokenizer(true);
    const counts = createTokenCounts({ tokenizer });
    await counts.countPieces('o200k_base', ['ab']);
    expect(await counts.countEach('o200k_base', ['abc', 'ab', LONG, ''])).toEqual([3, 2, 100, 0]);
    expect(tokenizer.asked).toEqual(['ab', 'abc', LONG, '']);
    expect(counts.countEach('o200k_base', [LONG, 'abc'])).toEqual([100, 3]);
    expect(counts.countPieces('o200k_base', [LONG, 'abc'])).toBe(103);
    expect(counts.countEach(undefined, ['é', 'a'])).toEqual([2, 1]);
  });

  test('two encodings do not share counts', () => {
    const tokenizer = fakeTokenizer();
    const counts = createTokenCounts({ tokenizer });
    counts.countPieces('o200k_base', ['ab']);
    counts.countPieces('cl100k_base', ['ab']);
    expect(tokenizer.asked).toEqual(['ab', 'ab']);
  });

  test('a text that spells the key of another is not taken for it', () => {
    const tokenizer = fakeTokenizer();
    const counts = createTokenCounts({ tokenizer });
    counts.countPieces('o200k_base', [LONG]);
    const key = createHash('sha256').update(LONG).digest('binary');
    expect(counts.countPieces('o200k_base', [key])).toBe(32);
    expect(tokenizer.asked).toEqual([LONG, key]);
  });

  test('what is held stays within its bytes, and the least recently used goes first', () => {
    const tokenizer = fakeTokenizer();
    const counts = createTokenCounts({ tokenizer, bytesMax: 1_200 });
    const names = Array.from({ length: 10 }, (_, index) => `piece-${index}`);
    for (const name of names) {
      counts.countPieces('o200k_base', [name]);
      counts.countPieces('o200k_base', ['piece-0']);
      expect(counts.state().bytes).toBeLessThanOrEqual(1_200);
    }
    counts.countPieces('cl100k_base', names);
    expect(counts.state().bytes).toBeLessThanOrEqual(1_200);
    expect(counts.state().entries).toBeGreaterThan(5);
    const again = createTokenCounts({ tokenizer, bytesMax: 400 });
    again.countPieces('o200k_base', ['a', 'b']);
    again.countPieces('o200k_base', ['a']);
    again.countPieces('o200k_base', ['c', 'd']);
    tokenizer.asked.length = 0;
    again.countPieces('o200k_base', ['a', 'b']);
    expect(tokenizer.asked).toContain('b');
  });

  test('a large cache keeps what is used and stays within its bytes, however many texts pass', () => {
    const tokenizer = fakeTokenizer();
    const counts = createTokenCounts({ tokenizer, bytesMax: 2 * 1024 * 1024 });
    const long = (name: string) => `${name} ${LONG}`;
    for (let index = 0; index < 30_000; index += 1) {
      counts.countPieces('o200k_base', [long(`${index}`), `${index}`]);
      if (index % 1_000 === 0) counts.countPieces('o200k_base', [LONG, 'often']);
    }
    const { bytes, entries } = counts.state();
    expect(bytes).toBeLessThanOrEqual(2 * 1024 * 1024);
    expect(entries).toBeGreaterThan(5_000);
    expect(tokenizer.asked.filter((text) => text === LONG || text === 'often')).toHaveLength(2);
  });

  test('a count that fails is not remembered', async () => {
    let fail = true;
    const countAll = (_: Encoding, texts: readonly string[]) =>
      fail ? Promise.reject(new Error('gone')) : texts.map((text) => text.length);
    const counts = createTokenCounts({ tokenizer: { countAll } });
    await expect(counts.countPieces('o200k_base', ['ab'])).rejects.toThrow('gone');
    fail = false;
    expect(counts.countPieces('o200k_base', ['ab'])).toBe(2);
  });

  test('without an encoding the bytes are the bound and nothing is remembered', () => {
    const tokenizer = fakeTokenizer();
    const counts = createTokenCounts({ tokenizer });
    expect(counts.countPieces(undefined, ['é', '中'])).toBe(5);
    expect(counts.state().entries).toBe(0);
    expect(tokenizer.asked).toEqual([]);
  });
});
