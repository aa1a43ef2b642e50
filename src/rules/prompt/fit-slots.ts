// Fits slots to a budget of tokens. The same slots and counts give the same bytes, and every slot
// is cut by its own allowance alone: what a smaller budget kept whole, a larger one keeps whole.

import type { Trim } from '../../core/prompt.js';
import { allowances, type Need } from './allowances.js';
import { compareSlots } from './order.js';
import type { PromptBudget, PromptFit, PromptSlot, SlotFit, Steps } from './slot.js';
import { cutText, readLadder, type TextLadder } from './text-ladder.js';

interface Measured {
  slot: PromptSlot;
  /** Tokens of all of it, fixed ones included. */
  whole: number;
  chars: number;
  ladder?: TextLadder;
}

interface Outcome {
  fit: SlotFit;
  removedChars: number;
  shaved: boolean;
}

export function* fitSlots(slots: readonly PromptSlot[], budget: PromptBudget): Steps<PromptFit> {
  const measured = yield* measure(slots);
  const sum = measured.reduce((total, { whole }) => total + whole, 0);
  const before = sum + budget.fixedTokens;
  const warnings = softWarnings(slots);
  if (before <= budget.tokens) {
    const kept = measured.map((one) => whole(one).fit);
    const report = { before, after: before, trims: [], warnings };
    return { fits: true, slots: kept, report, rejects: 0 };
  }
  const order = [...measured].sort((left, right) => compareSlots(left.slot, right.slot));
  const needs: Need[] = [];
  for (const one of order) needs.push(yield* needOf(one, budget.shave));
  const allowed = allowances(needs, budget.tokens - budget.fixedTokens);
  if (allowed === undefined) {
    const least = needs.reduce((total, { hard }) => total + hard, budget.fixedTokens);
    return { fits: false, before, leastTokens: least };
  }
  if (allowed.reduced) warnings.push('min_chars_reduced');
  const outcomes = new Map<string, Outcome>();
  const trims: Trim[] = [];
  let after = budget.fixedTokens;
  for (const [index, one] of order.entries()) {
    const outcome = yield* cut(one, allowed.tokens[index]!);
    outcomes.set(one.slot.key, outcome);
    after += outcome.fit.tokens;
    if (outcome.shaved) warnings.push(`fallback_trim_applied:${one.slot.key}`);
    if (outcome.fit.kept !== 'whole') trims.push(trimOf(one, outcome));
  }
  const kept = slots.map(({ key }) => outcomes.get(key)!.fit);
  const rejects = kept.filter((fit) => fit.kept === 'nothing').length;
  return { fits: true, slots: kept, report: { before, after, trims, warnings }, rejects };
}

function* measure(slots: readonly PromptSlot[]): Steps<Measured[]> {
  const texts = slots.flatMap(({ content }) => (content.kind === 'text' ? [content.text] : []));
  const counts = yield texts;
  let next = 0;
  return slots.map((slot) => {
    const { content } = slot;
    if (content.kind === 'solid') return { slot, whole: fixed(slot, content.tokens), ...content };
    if (content.kind === 'text') {
      const tokens = counts[next] ?? 0;
      next += 1;
      return { slot, whole: fixed(slot, tokens), chars: content.text.length };
    }
    let [tokens, chars] = [0, 0];
    for (const round of content.rounds) {
      tokens += round.tokens;
      chars += round.chars;
    }
    return { slot, whole: fixed(slot, tokens), chars };
  });
}

function fixed(slot: PromptSlot, tokens: number): number {
  return tokens + slot.fixedTokens;
}

function softWarnings(slots: readonly PromptSlot[]): string[] {
  return slots.flatMap(({ key, content, softMaxChars }) => {
    const long = content.kind === 'text' && content.text.length > (softMaxChars ?? Infinity);
    return long ? [`soft_limit_exceeded:${key}`] : [];
  });
}

function* needOf(one: Measured, shave: boolean): Steps<Need> {
  const { slot, whole: wholeTokens } = one;
  const { content, mustKeep, fixedTokens } = slot;
  if (!mustKeep) return { hard: 0, floor: 0, whole: wholeTokens };
  if (content.kind === 'solid')
    return { hard: wholeTokens, floor: wholeTokens, whole: wholeTokens };
  const minChars = Math.max(1, slot.minChars);
  if (content.kind === 'rounds') {
    const hard = fixedTokens + (content.rounds[0]?.tokens ?? 0);
    const [count, tokens] = newestRounds(slot, (sum) => sum.before < minChars);
    const floor = count === content.rounds.length ? wholeTokens : tokens;
    return { hard: Math.min(hard, floor), floor, whole: wholeTokens };
  }
  const ladder = yield* readLadder(content.text, wholeTokens - fixedTokens, {
    mustKeep,
    minChars,
    shave,
  });
  one.ladder = ladder;
  const floor = ladder.floor === undefined ? wholeTokens : fixedTokens + ladder.floor.tokens;
  const hard = ladder.hard === undefined ? wholeTokens : fixedTokens + ladder.hard.tokens;
  return { hard, floor, whole: wholeTokens };
}

function* cut(one: Measured, allowance: number): Steps<Outcome> {
  const { slot } = one;
  if (allowance >= one.whole) return whole(one);
  const { content, fixedTokens } = slot;
  if (content.kind === 'rounds') return cutRounds(one, allowance);
  if (content.kind === 'solid') return nothing(one);
  one.ladder ??= yield* readLadder(content.text, one.whole - fixedTokens, {
    mustKeep: false,
    minChars: Math.max(1, slot.minChars),
    shave: false,
  });
  const kept = yield* cutText(one.ladder, slot.mustKeep, allowance - fixedTokens);
  if (kept === undefined) return nothing(one);
  const tokens = fixedTokens + kept.tokens;
  return {
    fit: { key: slot.key, kept: 'part', text: kept.text, tokens },
    removedChars: one.chars - kept.at,
    shaved: kept.shaved,
  };
}

function cutRounds(one: Measured, allowance: number): Outcome {
  const { slot } = one;
  const [count, tokens, chars] = newestRounds(slot, (sum) => sum.tokens <= allowance);
  if (count === 0 || (slot.minChars > chars && !slot.mustKeep)) return nothing(one);
  const fit: SlotFit = { key: slot.key, kept: 'part', rounds: count, tokens };
  return { fit, removedChars: one.chars - chars, shaved: false };
}

/** How many of the newest rounds are taken while `goesOn`, their tokens and units. */
function newestRounds(
  slot: PromptSlot,
  goesOn: (sum: { tokens: number; before: number }) => boolean,
): [count: number, tokens: number, chars: number] {
  const rounds = slot.content.kind === 'rounds' ? slot.content.rounds : [];
  let [count, tokens, chars] = [0, slot.fixedTokens, 0];
  for (const round of rounds) {
    if (!goesOn({ tokens: tokens + round.tokens, before: chars })) break;
    count += 1;
    tokens += round.tokens;
    chars += round.chars;
  }
  return [count, tokens, chars];
}

function whole({ slot, whole: tokens }: Measured): Outcome {
  return { fit: { key: slot.key, kept: 'whole', tokens }, removedChars: 0, shaved: false };
}

function nothing({ slot, chars }: Measured): Outcome {
  return { fit: { key: slot.key, kept: 'nothing', tokens: 0 }, removedChars: chars, shaved: false };
}

function trimOf(one: Measured, { fit, removedChars }: Outcome): Trim {
  return {
    key: one.slot.key,
    removed_chars: removedChars,
    removed_tokens: one.whole - fit.tokens,
  };
}
