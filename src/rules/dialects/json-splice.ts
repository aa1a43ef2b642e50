// Edits of a JSON object's top-level members on its bytes: what is not edited keeps every byte it
// had, also numbers that no parser of ours could write again.

import type { MemberSpan } from '../../core/call.js';

/** Undefined takes the member out; a member that the object lacks is put in front. */
export type MemberEdits = ReadonlyMap<string, Uint8Array | undefined>;

/** `members` in the order of the text; at least one of them must stay. */
export function spliceMembers(
  raw: Uint8Array,
  members: ReadonlyMap<string, MemberSpan>,
  edits: MemberEdits,
): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let copied = 0;
  let skipTo = 0;
  const copyTo = (end: number) => {
    if (end > copied) pieces.push(raw.subarray(copied, end));
    copied = end;
  };
  const [first] = members.values();
  if (first) copyTo(first.keyStart);
  for (const [key, value] of edits) {
    if (value && !members.has(key)) pieces.push(bytes(`${JSON.stringify(key)}:`), value, COMMA);
  }
  let isFirst = true;
  for (const [key, span] of members) {
    const value = edits.get(key);
    if (value === undefined && edits.has(key)) {
      skipTo = span.valueEnd;
      continue;
    }
    // After a member that was taken out, what lay between is taken out with it.
    if (skipTo > 0) {
      if (!isFirst) pieces.push(COMMA);
      copied = span.keyStart;
      skipTo = 0;
    }
    isFirst = false;
    copyTo(value ? span.valueStart : span.valueEnd);
    if (value) {
      pieces.push(value);
      copied = span.valueEnd;
    }
  }
  if (skipTo > 0) copied = skipTo;
  copyTo(raw.length);
  return pieces;
}

const COMMA = bytes(',');

export function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}
