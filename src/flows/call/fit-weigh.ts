// What each message of a conversation weighs, by the same pieces from which the estimate counts
// the whole prompt: the sum of all weights is the estimate.

import { isJsonObject, type Json, type JsonObject } from '../../core/json.js';
import { cuttableText } from '../../rules/prompt/conversation.js';
import type { MessageWeight } from '../../rules/prompt/draft.js';
import type { Steps } from '../../rules/prompt/slot.js';
import type { ChatPieces } from '../../rules/tokens/chat-pieces.js';

export type PiecesOf = (body: JsonObject) => ChatPieces;

export interface Weights {
  messages: MessageWeight[];
  /** Of all that is no message: tools, schemas, the frame of the answer. */
  fixedTokens: number;
  /** What a message of one text weighs beside it, by role. */
  frames: ReadonlyMap<string, number>;
  /** A file is named whose size nobody here knows. */
  unbounded: boolean;
}

interface Weighing {
  texts: string[];
  fixedTokens: number;
  cuttable: string | undefined;
  /** The role's name is a text that is counted, but nobody's words. */
  roleUnits: number;
}

/** Texts are asked for in batches of about so many units. */
const BATCH_UNITS = 32_768;

export function* weighPrompt(json: JsonObject, piecesOf: PiecesOf): Steps<Weights> {
  const { purser: _, messages, ...rest } = json;
  const base = piecesOf({});
  const others = piecesOf({ ...rest, messages: [] });
  const fixedTokens = others.fixedTokens + sum(yield others.texts);
  const frames = new Map<string, number>();
  for (const role of ['system', 'user']) {
    const frame = piecesOf({ messages: [{ role, content: null }] });
    frames.set(role, frame.fixedTokens - base.fixedTokens + sum(yield frame.texts));
  }
  const weights: Weights = { messages: [], fixedTokens, frames, unbounded: others.unbounded };
  let batch: Weighing[] = [];
  let units = 0;
  for (const message of Array.isArray(messages) ? messages : []) {
    const pieces = piecesOf({ messages: [message] });
    weights.unbounded ||= pieces.unbounded;
    batch.push({
      texts: pieces.texts,
      fixedTokens: pieces.fixedTokens - base.fixedTokens,
      cuttable: textOf(message),
      roleUnits: roleOf(message).length,
    });
    for (const text of pieces.texts) units += text.length;
    if (units < BATCH_UNITS) continue;
    weights.messages.push(...(yield* weighBatch(batch)));
    batch = [];
    units = 0;
  }
  weights.messages.push(...(yield* weighBatch(batch)));
  return weights;
}

function* weighBatch(batch: readonly Weighing[]): Steps<MessageWeight[]> {
  const counts = yield batch.flatMap((one) => one.texts);
  let next = 0;
  return batch.map(({ texts, fixedTokens, cuttable, roleUnits }) => {
    let tokens = fixedTokens;
    let chars = -roleUnits;
    let own: number | undefined;
    for (const text of texts) {
      const count = counts[next] ?? 0;
      if (text === cuttable) own ??= count;
      tokens += count;
      chars += text.length;
      next += 1;
    }
    return { tokens, fixedTokens: tokens - (own ?? 0), chars };
  });
}

function textOf(message: Json): string | undefined {
  return isJsonObject(message) ? cuttableText(message) : undefined;
}

function roleOf(message: Json): string {
  return isJsonObject(message) && typeof message.role === 'string' ? message.role : '';
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
