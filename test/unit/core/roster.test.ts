import { describe, expect, test } from 'vitest';
import { Roster } from '#src/core/roster.js';

describe('a roster', () => {
  test('has whoever came and did not leave, in whatever order they do', () => {
    const roster = new Roster<number>();
    const here = new Map<number, ReturnType<typeof roster.add>>();
    let state = 7;
    for (let turn = 0; turn < 5_000; turn += 1) {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      const one = (state >>> 8) % 40;
      const seat = here.get(one);
      if (seat) {
        expect(roster.remove(seat)).toBe(true);
        expect(roster.remove(seat)).toBe(false);
        here.delete(one);
      } else here.set(one, roster.add(one));
      expect(roster.size).toBe(here.size);
    }
    expect(here.size).toBeGreaterThan(0);
    expect(roster.all().sort()).toEqual([...here.keys()].sort());
  });

  test('is walked as it was, whoever comes or leaves meanwhile', () => {
    const roster = new Roster<string>();
    const seats = ['a', 'b', 'c'].map((one) => roster.add(one));
    const met: string[] = [];
    for (const one of roster.all()) {
      met.push(one);
      for (const seat of seats) roster.remove(seat);
      roster.add('later');
    }
    expect(met).toEqual(['a', 'b', 'c']);
    expect(roster.size).toBe(3);
  });
});
