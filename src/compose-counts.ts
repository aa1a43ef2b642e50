// Counts prompts and answers for the flow: exact where the model's tokenizer is public, and by
// bytes, which no tokenizer exceeds, where it is not.

import type { CallBody, Target } from './core/call.js';
import type { Tokenizer } from './drivers/tokenizer.js';
import type { CallDeps, InputCount } from './flows/call/deps.js';
import { chatPieces, PUBLISHED_OVERHEADS, WIDE_OVERHEADS } from './rules/tokens/chat-pieces.js';
import { encodingOf } from './rules/tokens/encoding.js';
import type { TokenCounts } from './stores/token-counts.js';

/** Held where a prompt names what is not in it and the model's window is not known either. */
const UNBOUNDED_TOKENS = 1_000_000;

export function composeCounts(
  tokenizer: Tokenizer,
  counts: TokenCounts,
): Pick<CallDeps, 'countInput' | 'countText'> {
  return {
    countInput(body: CallBody, target: Target): InputCount | Promise<InputCount> {
      const encoding = encodingOf(target.provider.name, target.model);
      const overheads = encoding ? PUBLISHED_OVERHEADS : WIDE_OVERHEADS;
      const pieces = chatPieces(body.json, target.model, overheads);
      if (pieces.unbounded) {
        return { tokens: target.price?.contextTokens ?? UNBOUNDED_TOKENS, exact: false };
      }
      const exact = encoding !== undefined;
      const texts = counts.countPieces(encoding, pieces.texts);
      if (typeof texts === 'number') return { tokens: texts + pieces.fixedTokens, exact };
      return texts.then((tokens) => ({ tokens: tokens + pieces.fixedTokens, exact }));
    },
    // What has passed is counted, not bounded: a common encoding is closer than bytes.
    countText(text, target) {
      const encoding = encodingOf(target.provider.name, target.model) ?? 'o200k_base';
      return tokenizer.count(encoding, text);
    },
  };
}
