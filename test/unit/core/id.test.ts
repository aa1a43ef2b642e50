import { expect, test } from 'vitest';
import { uuidV7, uuidV7TimeMs } from '#src/core/id.js';

test('ids of one millisecond are in the order in which they were made, and none comes twice', () => {
  const atMs = Date.UTC(2026, 10, 21);
  const ids = Array.from({ length: 2_000 }, () => uuidV7(atMs));
  expect([...ids].sort()).toEqual(ids);
  expect(new Set(ids).size).toBe(ids.length);
});

test('more ids than one millisecond has room for in order are ids still, all different', () => {
  const atMs = Date.UTC(2026, 10, 21) + 0.5;
  const ids = Array.from({ length: 20_000 }, () => uuidV7(atMs));
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(uuidV7TimeMs(id)).toBe(Math.floor(atMs));
});
