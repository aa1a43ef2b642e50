// The request for a provider: the client's own bytes with the model's name, the output bound and
// the wish for usage spliced in.

import type { CallBody } from '../../core/call.js';
import type { BodyEdits } from '../../core/dialect.js';
import { isJsonObject } from '../../core/json.js';
import { scanMembers } from './json-spans.js';
import { bytes, spliceMembers } from './json-splice.js';
import { takeOut } from './taken-out.js';

const ASKED = bytes('{"include_usage":true}');
const TRUE = bytes('true');

/** Where usage is not to be asked of a stream, `stream_options` is taken out whole. */
export function writeChatBody(body: CallBody, edits: BodyEdits): Uint8Array[] {
  const { raw, members } = body;
  const changes = new Map<string, Uint8Array | undefined>();
  takeOut(members, changes);
  changes.set('model', bytes(JSON.stringify(edits.model)));
  if (edits.bound) changes.set(edits.bound.member, bytes(String(edits.bound.tokens)));
  if (body.stream) {
    if (edits.askUsage) askUsage(body, changes);
    else if (members.has('stream_options')) changes.set('stream_options', undefined);
  }
  return spliceMembers(raw, members, changes);
}

function askUsage(body: CallBody, changes: Map<string, Uint8Array | undefined>): void {
  if (body.wantsUsage) return;
  const span = body.members.get('stream_options');
  const options = body.json.stream_options;
  if (!span || !isJsonObject(options) || Object.keys(options).length === 0) {
    changes.set('stream_options', ASKED);
    return;
  }
  const own = body.raw.subarray(span.valueStart, span.valueEnd);
  const pieces = spliceMembers(own, scanMembers(own).members, new Map([['include_usage', TRUE]]));
  changes.set('stream_options', Buffer.concat(pieces));
}
