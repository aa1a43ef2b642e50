// What of a legacy completion's or an embedding's body is counted: texts, and tokens that the
// client has numbered itself, which are as many as they are.

import type { Json, JsonObject } from '../../core/json.js';
import type { ChatPieces } from './chat-pieces.js';

/** Marks of beginning and end that some models put around a text. */
const FRAME_TOKENS = 2;

export function completionsPieces(body: JsonObject): ChatPieces {
  const counted: ChatPieces = { texts: [], fixedTokens: 0, unbounded: false };
  addPrompt(counted, body.prompt ?? '<|endoftext|>');
  if (typeof body.suffix === 'string') counted.texts.push(body.suffix);
  return counted;
}

export function embeddingsPieces(body: JsonObject): ChatPieces {
  const counted: ChatPieces = { texts: [], fixedTokens: 0, unbounded: false };
  addPrompt(counted, body.input ?? '');
  return counted;
}

function addPrompt(counted: ChatPieces, prompt: Json): void {
  if (Array.isArray(prompt) && typeof prompt[0] !== 'number') {
    for (const each of prompt) addPrompt(counted, each);
    return;
  }
  counted.fixedTokens += FRAME_TOKENS;
  if (Array.isArray(prompt)) {
    for (const token of prompt) {
      if (typeof token === 'number') counted.fixedTokens += 1;
      else counted.texts.push(JSON.stringify(token));
    }
  } else counted.texts.push(typeof prompt === 'string' ? prompt : JSON.stringify(prompt));
}
