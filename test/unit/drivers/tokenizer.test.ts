import { createRequire } from 'node:module';
import { afterAll, describe, expect, test } from 'vitest';
import { openTokenizer } from '#src/drivers/tokenizer.js';
import { CUT_TOKENS, slices } from '#src/rules/tokens/slices.js';

const require = createRequire(import.meta.url);
const { Tiktoken } = require('tiktoken/lite');
const ranks = require('tiktoken/encoders/cl100k_base.json');
const plain = new Tiktoken(ranks.bpe_ranks, ranks.special_tokens, ranks.pat_str);
const exact = (text: string): number => plain.encode_ordinary(text).length;

const tokenizer = openTokenizer({ loopEncodings: ['cl100k_base'] });
tokenizer.loadLoop();
afterAll(() => tokenizer.close());

const PROSE = 'The quick brown fox — über 12,345 Zäune! — jumps;\n\tthen {"rests": [1, 2.5]}. ';

describe('counting', () => {
  test('little text is counted at once, large text elsewhere, both exactly', async () => {
    const little = tokenizer.count('cl100k_base', PROSE);
    expect(little).toBe(exact(PROSE));
    const large = tokenizer.count('cl100k_base', PROSE.repeat(2_000));
    expect(large).toBeInstanceOf(Promise);
    expect(await large).toBe(exact(PROSE.repeat(2_000)));
    expect(tokenizer.count('cl100k_base', '')).toBe(0);
  });

  test('an encoding that was not loaded on the loop is counted by the worker', async () => {
    const count = tokenizer.count('o200k_base', 'hello world');
    expect(count).toBeInstanceOf(Promise);
    expect(await count).toBe(2);
  });

  test('many texts are answered in their order', async () => {
    const texts = ['a b c', '', PROSE.repeat(300), 'hello'];
    expect(await tokenizer.countAll('cl100k_base', texts)).toEqual(texts.map(exact));
    expect(tokenizer.countAll('cl100k_base', ['a b c', 'hello'])).toEqual([3, 1]);
  });

  test('special tokens spelled out in a text are text', async () => {
    const text = 'say <|endoftext|> and <|im_start|>';
    expect(tokenizer.count('cl100k_base', text)).toBe(exact(text));
    expect(exact('<|endoftext|>')).toBeGreaterThan(1);
    expect(await tokenizer.count('o200k_base', '<|endoftext|>')).toBeGreaterThan(1);
  });

  test('half a surrogate pair counts and does not throw', () => {
    expect(tokenizer.count('cl100k_base', 'a\ud83d')).toBeGreaterThan(1);
  });

  // Uncut, this would not end within the test's time limit.
  test('a megabyte without a split is counted, and a short text beside it does not wait', async () => {
    const order: string[] = [];
    let seed = 1;
    let letters = '';
    while (letters.length < 400_000) {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
      letters += String.fromCharCode(97 + ((seed >>> 8) % 26));
    }
    const long = Promise.resolve(tokenizer.count('cl100k_base', letters));
    const short = Promise.resolve(tokenizer.count('cl100k_base', PROSE.repeat(40)));
    const one = Promise.resolve(tokenizer.count('cl100k_base', 'a'.repeat(1_000_000)));
    await Promise.all([long.then(() => order.push('long')), short.then(() => order.push('short'))]);
    expect(order).toEqual(['short', 'long']);
    expect(await long).toBeGreaterThan(100_000);
    expect(await one).toBeGreaterThan(125_000);
  });

  test('cutting a run never makes a count too small', () => {
    const sets = [
      'abcdefghij',
      'ABxyz',
      'éüñа',
      '中文字的一是',
      ' \t',
      '\n\r',
      '!/-_#',
      '😀🎉',
      'กขคงจ',
    ];
    let seed = 99;
    const next = (below: number) => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
      return (seed >>> 8) % below;
    };
    for (let round = 0; round < 300; round += 1) {
      const chars = [...(sets[next(9)] ?? ''), ...(sets[next(9)] ?? '')];
      let text = '';
      for (let left = 300 + next(900); left > 0; left -= 1) text += chars[next(chars.length)];
      let bound = 0;
      for (const slice of slices(text))
        bound += exact(slice.text) + (slice.forced ? CUT_TOKENS : 0);
      if (bound < exact(text)) expect({ round, text, bound }).toBe(exact(text));
    }
  });
});

describe('ending', () => {
  test('a count under way is rejected by close, and so is a later one', async () => {
    const closing = openTokenizer();
    const count = closing.count('cl100k_base', 'hello');
    const rejected = expect(count).rejects.toThrow(/was closed/);
    await closing.close();
    await rejected;
    await expect(closing.count('cl100k_base', 'hello')).rejects.toThrow(/is closed/);
  });
});
