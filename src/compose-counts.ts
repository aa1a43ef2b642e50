// Counts prompts and answers for the flow: exact where the model's tokenizer is public, and by
// bytes, which no tokenizer exceeds, where it is not.

import type { Call, Target } from './core/call.js';
import type { Tokenizer } from './drivers/tokenizer.js';
import type { CallDeps, InputCount } from './flows/call/deps.js';
import {
  type ChatPieces,
  chatPieces,
  type Overheads,
  PUBLISHED_OVERHEADS,
  WIDE_OVERHEADS,
} from './rules/tokens/chat-pieces.js';
import { type Encoding, encodingOf } from './rules/tokens/encoding.js';
import { messagesPieces } from './rules/tokens/messages-pieces.js';
import { completionsPieces, embeddingsPieces } from './rules/tokens/prompt-pieces.js';
import { responsesPieces } from './rules/tokens/responses-pieces.js';
import type { TokenCounts } from './stores/token-counts.js';

/** Held where a prompt names what is not in it and the model's window is not known either. */
const UNBOUNDED_TOKENS = 1_000_000;

export function composeCounts(
  tokenizer: Tokenizer,
  counts: TokenCounts,
): Pick<CallDeps, 'countInput' | 'countText'> {
  return {
    countInput(call, target): InputCount | Promise<InputCount> {
      const encoding = encodingFor(target);
      const overheads = encoding ? PUBLISHED_OVERHEADS : WIDE_OVERHEADS;
      const pieces = piecesOf(call, target.model, overheads);
      if (pieces.unbounded) {
        return { tokens: target.price?.contextTokens ?? UNBOUNDED_TOKENS, exact: false };
      }
      const exact = encoding !== undefined;
      const { fixedTokens } = pieces;
      const texts = counts.countPieces(encoding, pieces.texts);
      if (typeof texts === 'number') {
        const text = exact ? {} : { text: { bytes: texts, fixedTokens } };
        return { tokens: texts + fixedTokens, exact, ...text };
      }
      return texts.then((tokens) => ({ tokens: tokens + fixedTokens, exact }));
    },
    // What has passed is counted, not bounded: a common encoding is closer than bytes.
    countText(text, target) {
      const encoding = encodingFor(target) ?? 'o200k_base';
      return tokenizer.count(encoding, text);
    },
  };
}

const encodings = new WeakMap<Target, Encoding | 'none'>();

/** Found once a target: it is a matter of patterns. */
function encodingFor(target: Target): Encoding | undefined {
  let encoding = encodings.get(target);
  if (encoding === undefined) {
    encoding = encodingOf(target.provider.name, target.model) ?? 'none';
    encodings.set(target, encoding);
  }
  return encoding === 'none' ? undefined : encoding;
}

/** What of a body is counted, by its wire format. */
export function piecesOf(
  { operation, body }: Pick<Call, 'operation' | 'body'>,
  model: string,
  overheads: Overheads,
): ChatPieces {
  const { json } = body;
  const hosted = body.hostedTools !== undefined;
  switch (operation) {
    case 'chat':
      return chatPieces(json, model, overheads);
    case 'messages':
    case 'count_tokens':
      return messagesPieces(json, model, overheads, hosted);
    case 'responses':
      return responsesPieces(json, model, overheads, hosted);
    case 'completions':
      return completionsPieces(json);
    case 'embeddings':
      return embeddingsPieces(json);
  }
}
