// Guarantees of the engine over random slots, budgets and counters. PROMPT_CASES says how many;
// PROMPT_SEED takes one case back.

import { afterAll, describe, expect, test, vi } from 'vitest';
import { loadEncoder } from '#src/drivers/tokenizer-encoder.js';
import { fitSlots } from '#src/rules/prompt/fit-slots.js';
import { type PromptFit, type PromptSlot, runSteps, type SlotFit } from '#src/rules/prompt/slot.js';
import { TRIM_MARKER } from '#src/rules/prompt/text-ladder.js';
import { type RandomSlot, randomSlots } from '../../../support/prompt/random-slots.js';
import { type Seeded, seeded } from '../../../support/seeded.js';

const CASES = Number(process.env.PROMPT_CASES ?? 5_000);
const ONE_SEED = process.env.PROMPT_SEED;

type Count = (text: string) => number;

const encoder = loadEncoder('o200k_base');
afterAll(() => encoder.free());

const COUNTS: readonly Count[] = [
  (text) => encoder.count(text),
  (text) => Buffer.byteLength(text),
  (text) => text.match(/\w+|[^\w\s]|\s+/gu)?.length ?? 0,
  (text) => Math.ceil(text.length / 4),
];

interface Case {
  slots: readonly RandomSlot[];
  count: Count;
  budget: number;
  more: number;
  fixedTokens: number;
  shave: boolean;
}

function caseOf(seed: number): Case {
  const random = seeded(seed);
  const slots = randomSlots(random);
  // The real tokenizer is the slowest by far: one case in eight.
  const count = COUNTS[random.below(8) === 0 ? 0 : 1 + random.below(COUNTS.length - 1)]!;
  const fixedTokens = random.below(20);
  const whole = fixedTokens + slots.reduce((sum, { slot }) => sum + tokensOf(slot, count), 0);
  const budget = random.below(whole + 10);
  const more = budget + 1 + random.below(random.pick([3, 40, whole + 1]));
  return { slots, count, budget, more, fixedTokens, shave: random.below(3) > 0 };
}

function tokensOf({ content, fixedTokens }: PromptSlot, count: Count): number {
  if (content.kind === 'text') return fixedTokens + count(content.text);
  if (content.kind === 'solid') return fixedTokens + content.tokens;
  return fixedTokens + content.rounds.reduce((sum, round) => sum + round.tokens, 0);
}

function fitAt(one: Case, tokens: number, slots = one.slots.map(({ slot }) => slot)): PromptFit {
  const budget = { tokens, fixedTokens: one.fixedTokens, shave: one.shave };
  return runSteps(fitSlots(slots, budget), one.count);
}

/** What is left of a slot, as a slot again; undefined where nothing is. */
function left(slot: PromptSlot, kept: SlotFit): PromptSlot | undefined {
  if (kept.kept === 'nothing') return undefined;
  if (kept.kept === 'whole') return slot;
  if (slot.content.kind === 'rounds') {
    const rounds = slot.content.rounds.slice(0, kept.rounds);
    return { ...slot, content: { kind: 'rounds', rounds } };
  }
  return { ...slot, content: { kind: 'text', text: kept.text! } };
}

function each(check: (one: Case, fitted: PromptFit, random: Seeded) => void): void {
  const seeds = ONE_SEED === undefined ? range(CASES) : [Number(ONE_SEED)];
  for (const seed of seeds) {
    const one = caseOf(seed);
    try {
      check(one, fitAt(one, one.budget), seeded(seed + 1));
    } catch (error) {
      throw new Error(`case PROMPT_SEED=${seed}`, { cause: error });
    }
  }
}

function range(count: number): Iterable<number> {
  return Array.from({ length: count }, (_, index) => index);
}

const must = (holds: boolean, what: string) => {
  if (!holds) throw new Error(what);
};

describe(`prompts fitted to a budget (${CASES} cases)`, { timeout: 60_000 + CASES * 20 }, () => {
  test('are never over it, and the report says exactly what they have', () => {
    each((one, fitted) => {
      if (!fitted.fits) return;
      const kept = fitted.slots.map((slot, i) => left(one.slots[i]!.slot, slot));
      const counts = kept.map((slot) => (slot ? tokensOf(slot, one.count) : 0));
      const after = counts.reduce((sum, tokens) => sum + tokens, one.fixedTokens);
      must(after <= one.budget, `${after} tokens in a budget of ${one.budget}`);
      must(after === fitted.report.after, `${after} tokens, told ${fitted.report.after}`);
      const removed = fitted.report.trims.reduce((sum, trim) => sum + trim.removed_tokens, 0);
      must(fitted.report.before - removed === after, 'the trims do not add up');
    });
  });

  test('are refused only where the least that must stay is above it', () => {
    let refusals = 0;
    each((one, fitted) => {
      if (fitted.fits) return;
      refusals += 1;
      must(fitted.leastTokens > one.budget, 'refused though the least fits');
      must(fitAt(one, fitted.leastTokens).fits, 'the least that was told does not fit');
      must(!fitAt(one, fitted.leastTokens - 1).fits, 'less than the least fits');
    });
    if (CASES >= 1_000 && ONE_SEED === undefined) expect(refusals).toBeGreaterThan(CASES / 50);
  });

  test('keep what must be kept, at its minimum unless the minima were reduced', () => {
    each((one, fitted) => {
      if (!fitted.fits) return;
      const reduced = fitted.report.warnings.includes('min_chars_reduced');
      for (const [index, { slot }] of one.slots.entries()) {
        const kept = fitted.slots[index]!;
        if (slot.mustKeep) must(kept.kept !== 'nothing', `${slot.key} was dropped`);
        if (kept.kept !== 'part' || (slot.mustKeep && reduced)) continue;
        const chars = charsOf(left(slot, kept)!);
        must(chars >= Math.min(slot.minChars, charsOf(slot)), `${slot.key} kept ${chars}`);
      }
    });
  });

  test('are what they were when they are fitted again', () => {
    each((one, fitted) => {
      if (!fitted.fits) return;
      const kept = fitted.slots.flatMap((slot, i) => left(one.slots[i]!.slot, slot) ?? []);
      const again = fitAt(one, one.budget, kept);
      must(again.fits && again.slots.every((slot) => slot.kept === 'whole'), 'cut again');
    });
  });

  test('keep no less of any slot in a larger budget, and whole what was whole', () => {
    each((one, fitted) => {
      if (!fitted.fits) return;
      const larger = fitAt(one, one.more);
      must(larger.fits, 'a larger budget refuses');
      if (!larger.fits) return;
      must(larger.report.after >= fitted.report.after, 'fewer tokens in a larger budget');
      for (const [index, { key, kept, tokens }] of fitted.slots.entries()) {
        const other = larger.slots[index]!;
        must(other.tokens >= tokens, `${key} has ${other.tokens} of ${tokens}`);
        must(kept !== 'whole' || other.kept === 'whole', `${key} was whole`);
      }
    });
  });

  test('are the same in any order of slots and any locale', () => {
    const wrong = () => {
      throw new Error('a locale was asked');
    };
    vi.spyOn(String.prototype, 'localeCompare').mockImplementation(wrong);
    vi.spyOn(Intl, 'Collator').mockImplementation(wrong as never);
    try {
      each((one, fitted, random) => {
        const shuffled = one.slots
          .map(({ slot }) => ({ slot, at: random.below(1_000_000) }))
          .sort((a, b) => a.at - b.at)
          .map(({ slot }) => slot);
        const other = fitAt(one, one.budget, shuffled);
        must(byKey(fitted) === byKey(other), `${byKey(fitted)} is not ${byKey(other)}`);
      });
    } finally {
      vi.restoreAllMocks();
    }
  });

  test('are cut between what must not be cut, and say so with the marker', () => {
    let cuts = 0;
    each((one, fitted) => {
      if (!fitted.fits) return;
      for (const [index, { slot, pieces }] of one.slots.entries()) {
        const kept = fitted.slots[index]!;
        if (slot.content.kind !== 'text' || kept.text === undefined) continue;
        cuts += 1;
        const shaved = fitted.report.warnings.includes(`fallback_trim_applied:${slot.key}`);
        const text = slot.content.text;
        const trim = fitted.report.trims.find(({ key }) => key === slot.key)!;
        const at = text.length - trim.removed_chars;
        const marker = shaved ? `\n${TRIM_MARKER}` : TRIM_MARKER;
        must(kept.text === text.slice(0, at) + marker, 'not a beginning and the marker');
        must(!/\p{Surrogate}/u.test(kept.text), 'a surrogate pair was split');
        must(shaved || text[at - 1] === '\n', 'cut inside of a line');
        must(!shaved || one.shave, 'shaved though that is forbidden');
        mustBeBetween(pieces, at);
      }
    });
    if (CASES >= 1_000 && ONE_SEED === undefined) expect(cuts).toBeGreaterThan(CASES / 3);
  });
});

function byKey(fitted: PromptFit): string {
  if (!fitted.fits) return JSON.stringify(fitted);
  const slots = [...fitted.slots].sort((a, b) => (a.key < b.key ? -1 : 1));
  const { warnings, ...report } = fitted.report;
  return JSON.stringify([slots, { ...report, warnings: [...warnings].sort() }]);
}

function charsOf({ content }: PromptSlot): number {
  if (content.kind === 'rounds') return content.rounds.reduce((sum, { chars }) => sum + chars, 0);
  if (content.kind === 'solid') return content.chars;
  return content.text.replace(TRIM_MARKER, '').length;
}

function mustBeBetween(pieces: RandomSlot['pieces'], at: number): void {
  let start = 0;
  for (const { text, solid } of pieces) {
    const end = start + text.length;
    // A fence begins after the line break in front of it.
    const first = text.startsWith('\n') ? start + 1 : start;
    if (solid && at > first && at < end) throw new Error(`cut inside ${JSON.stringify(text)}`);
    start = end;
  }
}
