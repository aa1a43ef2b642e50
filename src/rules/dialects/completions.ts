// Legacy completions, as the flow needs a wire format: its chunks and its usage are those of chat
// completions, with `text` where those have a message.

import type { CallBody } from '../../core/call.js';
import type { BodyEdits, Dialect } from '../../core/dialect.js';
import { chat } from './chat.js';
import { writeChatBody } from './chat-body.js';

export const completions: Dialect = { ...chat, writeBody: writeCompletionsBody };

// The bound that readCompletionsCall assumed is sent: not every provider has the same default.
function writeCompletionsBody(body: CallBody, edits: BodyEdits): Uint8Array[] {
  const assumed = body.outputBound;
  const sent = assumed !== undefined && body.members.has(assumed.member);
  const bound = edits.bound ?? (sent ? null : (assumed ?? null));
  return writeChatBody(body, { ...edits, bound: bound && { ...bound, member: 'max_tokens' } });
}
