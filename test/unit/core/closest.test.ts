import { expect, test } from 'vitest';
import { closest } from '#src/core/closest.js';

test('the nearest known word is found, a swap of letters counting once', () => {
  expect(closest('prot', ['host', 'port'])).toBe('port');
  expect(closest('PURSER_DATADIR', ['PURSER_DATA_DIR', 'PURSER_MODE'])).toBe('PURSER_DATA_DIR');
  expect(closest('Limit', ['limits', 'listen'])).toBe('limits');
});

test('a word unlike any is left without a guess', () => {
  expect(closest('zebra', ['host', 'port'])).toBeUndefined();
  expect(closest('x', [])).toBeUndefined();
});
