// What the engine is given and what it answers. A slot's content is cut in steps that only it can
// see: a text keeps its beginning, a conversation its newest rounds.

import type { BudgetReport } from '../../core/prompt.js';

export interface PromptSlot {
  /** Unique in its prompt. */
  key: string;
  /** Decides first who is cut first: see `order.ts`. */
  category: string;
  /** The lower is cut first. */
  priority: number;
  /** Never dropped, and not below `minChars` unless all minima together are too much. */
  mustKeep: boolean;
  /** UTF-16 units that are kept at the least, if anything is. */
  minChars: number;
  /** Longer than this is warned of. */
  softMaxChars?: number;
  /** Tokens that come with anything that is kept: a message's frame, its images. */
  fixedTokens: number;
  content: SlotContent;
}

export type SlotContent =
  | { kind: 'text'; text: string }
  /** Newest first; what is kept is a beginning of this list. */
  | { kind: 'rounds'; rounds: readonly Round[] }
  /** Cannot be cut. */
  | { kind: 'solid'; tokens: number; chars: number };

export interface Round {
  tokens: number;
  chars: number;
}

export interface PromptBudget {
  /** Tokens of the whole prompt. */
  tokens: number;
  /** Tokens that no slot has: tools, the frame of the answer. */
  fixedTokens: number;
  /** Whether must_keep slots may be cut in the middle of a line where nothing else helps. */
  shave: boolean;
}

export interface SlotFit {
  key: string;
  kept: 'whole' | 'part' | 'nothing';
  /** Of a text of which a part is kept: that part, and the marker. */
  text?: string;
  /** Of rounds: how many of the newest. */
  rounds?: number;
  tokens: number;
}

export type PromptFit =
  /** Slots in the order in which they were given. */
  | { fits: true; slots: readonly SlotFit[]; report: BudgetReport; rejects: number }
  /** Not even the least that must be kept is within the budget. */
  | { fits: false; before: number; leastTokens: number };

/**
 * Work in small steps. It yields texts and is given the tokens of each; no texts are a mere pause.
 * Whoever drives it decides when other work may go between.
 */
export type Steps<T> = Generator<readonly string[], T, readonly number[]>;

export const PAUSE: readonly string[] = [];

/** Drives it at once, with a count that is at hand. */
export function runSteps<T>(steps: Steps<T>, count: (text: string) => number): T {
  let step = steps.next([]);
  while (!step.done) step = steps.next(step.value.map(count));
  return step.value;
}
