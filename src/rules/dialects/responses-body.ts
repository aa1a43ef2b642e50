// The request for a provider of responses: the client's own bytes with the model's name and the
// output bound spliced in. Usage comes without being asked for.

import type { CallBody } from '../../core/call.js';
import type { BodyEdits } from '../../core/dialect.js';
import { bytes, spliceMembers } from './json-splice.js';
import { takeOut } from './taken-out.js';

export function writeResponsesBody(body: CallBody, edits: BodyEdits): Uint8Array[] {
  const { raw, members } = body;
  const changes = new Map<string, Uint8Array | undefined>();
  takeOut(members, changes);
  changes.set('model', bytes(JSON.stringify(edits.model)));
  // There is one member for the bound, whatever the provider's data says for other formats.
  if (edits.bound) changes.set('max_output_tokens', bytes(String(edits.bound.tokens)));
  return spliceMembers(raw, members, changes);
}
