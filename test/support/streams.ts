// Drives the stream readers of all wire formats in tests.

import type { Dialect, StreamReader } from '#src/core/dialect.js';
import { chat } from '#src/rules/dialects/chat.js';
import { messages } from '#src/rules/dialects/messages.js';
import { responses } from '#src/rules/dialects/responses.js';
import { quirksOf } from '#src/rules/providers/providers.js';
import type { Format } from './transcripts.js';

export const DIALECTS: Record<Format, Dialect> = { chat, messages, responses };

export interface Driven {
  reader: StreamReader;
  out: Buffer;
}

/** All chunks through a new reader, and what went out. */
export function drive(
  format: Format,
  chunks: readonly Buffer[],
  provider = 'openai',
  wantsUsage = true,
): Driven {
  const quirks = quirksOf(provider);
  const reader = DIALECTS[format].createReader({ wantsUsage, quirks });
  const out: Buffer[] = [];
  for (const chunk of chunks) out.push(...reader.push(chunk));
  out.push(...reader.end());
  return { reader, out: Buffer.concat(out) };
}
