// Embeddings, as the flow needs a wire format. They come in one piece and have no output tokens.

import type { CallBody } from '../../core/call.js';
import type { AnswerReading, BodyEdits, Dialect } from '../../core/dialect.js';
import type { JsonObject } from '../../core/json.js';
import { chat } from './chat.js';
import { readChatAnswer } from './chat-answer.js';
import { writeChatBody } from './chat-body.js';
import { usageMember } from './chat-usage.js';

export const embeddings: Dialect = {
  ...chat,
  writeBody: writeEmbeddingsBody,
  readAnswer: readEmbeddingsAnswer,
};

function writeEmbeddingsBody(body: CallBody, edits: BodyEdits): Uint8Array[] {
  return writeChatBody(body, { ...edits, bound: null });
}

function readEmbeddingsAnswer(
  json: JsonObject,
  quirks: Parameters<Dialect['readAnswer']>[1],
): AnswerReading {
  const told = usageMember(json);
  if (!told) return readChatAnswer(json, quirks);
  const { prompt_tokens: prompt = null, total_tokens: total = null } = told;
  const usage: JsonObject = { ...told, prompt_tokens: prompt ?? total, completion_tokens: 0 };
  return readChatAnswer({ ...json, usage }, quirks);
}
