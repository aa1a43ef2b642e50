// A prompt as slots: the slots of a template around the parts of a conversation. It remembers
// where each came from, so that what the engine kept can be put back in its place.

import { isJsonObject, type Json, type JsonObject } from '../../core/json.js';
import { cuttableText, readConversation } from './conversation.js';
import type { PromptSlot, Round, SlotFit } from './slot.js';

/** What one message weighs. */
export interface MessageWeight {
  /** All of it, with its frame. */
  tokens: number;
  /** Without its one text that may be cut. */
  fixedTokens: number;
  chars: number;
}

export interface Draft {
  slots: PromptSlot[];
  /** Messages that templates make, in their order; `conversation` is where the client's stand. */
  order: readonly ({ key: string; role: 'system' | 'user' } | 'conversation')[];
  /** Slots that are one message of the client. */
  messageByKey: ReadonlyMap<string, number>;
  roundsKey: string;
  rounds: readonly (readonly number[])[];
}

/** A slot of a template with its text, once its source was read. */
export interface FilledSlot {
  key: string;
  category: string;
  priority: number;
  mustKeep: boolean;
  minChars: number;
  softMaxChars?: number;
  /** Undefined for the one that is the conversation. */
  text: string | undefined;
}

// As the migrations give them to critical slots.
const SYSTEM = { category: 'system', priority: 100, mustKeep: true, minChars: 400 };
const INPUT = { category: 'input', priority: 100, mustKeep: true, minChars: 200 };
const HISTORY = { category: 'history', priority: 20, mustKeep: false, minChars: 0 };

/** `frame` is what a message of one text weighs beside it. */
export function draftPrompt(
  messages: readonly Json[],
  weights: readonly MessageWeight[],
  filled: readonly FilledSlot[],
  frame: (role: string) => number,
): Draft {
  const own = filled.find((slot) => slot.text === undefined);
  const made = filled.filter((slot) => slot.text !== undefined && slot.text !== '');
  const taken = new Set(filled.map((slot) => slot.key));
  const nameFor = (key: string): string => {
    let name = own === undefined ? key : `${own.key}.${key}`;
    while (taken.has(name)) name = `${name}_`;
    taken.add(name);
    return name;
  };
  const slots = made.map((slot): PromptSlot => {
    const { text = '', ...rest } = slot;
    return { ...rest, fixedTokens: frame(roleFor(slot)), content: { kind: 'text', text } };
  });
  const conversation = readConversation(messages);
  const messageByKey = new Map<string, number>();
  const protect = (key: string, rank: typeof SYSTEM, index: number): void => {
    const name = nameFor(key);
    messageByKey.set(name, index);
    slots.push({ key: name, ...rank, ...contentOf(messages[index], weights[index]!) });
  };
  for (const [nth, index] of conversation.system.entries()) {
    protect(conversation.system.length > 1 ? `system.${nth + 1}` : 'system', SYSTEM, index);
  }
  if (conversation.input !== undefined) protect('input', INPUT, conversation.input);
  const roundsKey = own?.key ?? nameFor('history');
  const rounds = conversation.rounds.map((round) => roundWeight(round, weights));
  const { text: _, ...rank } = own ?? { ...HISTORY, key: roundsKey, text: undefined };
  slots.push({ ...rank, key: roundsKey, fixedTokens: 0, content: { kind: 'rounds', rounds } });
  const order = filled.flatMap((slot): Draft['order'] => {
    if (slot === own) return ['conversation'];
    return slot.text === '' ? [] : [{ key: slot.key, role: roleFor(slot) }];
  });
  // A template that says nothing of the conversation stands before it.
  const all = own === undefined ? [...order, 'conversation' as const] : order;
  return { slots, order: all, messageByKey, roundsKey, rounds: conversation.rounds };
}

function roleFor(slot: { category: string }): 'system' | 'user' {
  return slot.category === 'input' ? 'user' : 'system';
}

function contentOf(
  message: Json | undefined,
  weight: MessageWeight,
): Pick<PromptSlot, 'fixedTokens' | 'content'> {
  const text = isJsonObject(message) ? cuttableText(message) : undefined;
  if (text !== undefined) {
    return { fixedTokens: weight.fixedTokens, content: { kind: 'text', text } };
  }
  return {
    fixedTokens: 0,
    content: { kind: 'solid', tokens: weight.tokens, chars: weight.chars },
  };
}

function roundWeight(round: readonly number[], weights: readonly MessageWeight[]): Round {
  let [tokens, chars] = [0, 0];
  for (const index of round) {
    tokens += weights[index]!.tokens;
    chars += weights[index]!.chars;
  }
  return { tokens, chars };
}

/** One message of the fitted prompt: a new one, or one of the client's, perhaps with a new text. */
export type DraftMessage = { made: JsonObject } | { index: number; text?: string };

export function draftMessages(draft: Draft, fits: readonly SlotFit[]): DraftMessage[] {
  const byKey = new Map(fits.map((fit) => [fit.key, fit]));
  const texts = new Map(draft.slots.map(({ key, content }) => [key, content]));
  return draft.order.flatMap((entry): DraftMessage[] => {
    if (entry === 'conversation') return conversationMessages(draft, byKey);
    const fit = byKey.get(entry.key)!;
    if (fit.kept === 'nothing') return [];
    const content = texts.get(entry.key);
    const text = fit.text ?? (content?.kind === 'text' ? content.text : '');
    return [{ made: { role: entry.role, content: text } }];
  });
}

function conversationMessages(draft: Draft, byKey: ReadonlyMap<string, SlotFit>): DraftMessage[] {
  const rounds = byKey.get(draft.roundsKey)!;
  const count = rounds.kept === 'whole' ? draft.rounds.length : (rounds.rounds ?? 0);
  const kept: DraftMessage[] = draft.rounds
    .slice(0, count)
    .flatMap((round) => round.map((index) => ({ index })));
  for (const [key, index] of draft.messageByKey) {
    const { text } = byKey.get(key)!;
    kept.push(text === undefined ? { index } : { index, text });
  }
  const place = (message: DraftMessage): number => ('index' in message ? message.index : 0);
  return kept.sort((left, right) => place(left) - place(right));
}
