// The elements of a JSON array by their places in its bytes, so that a list of messages is written
// anew from the bytes of those that stay.

export interface ElementSpan {
  start: number;
  end: number;
}

const QUOTE = 34;
const BACKSLASH = 92;
const COMMA = 44;

/** `raw` from `from` must be valid JSON that begins with an array. */
export function scanElements(raw: Buffer, from: number): ElementSpan[] {
  const spans: ElementSpan[] = [];
  let depth = 0;
  let start = -1;
  let lastEnd = from;
  const close = (): void => {
    if (start !== -1) spans.push({ start, end: lastEnd });
    start = -1;
  };
  for (let at = from; at < raw.length; at += 1) {
    const byte = raw[at]!;
    if (byte <= 32) continue;
    if (depth === 1 && byte === COMMA) {
      close();
      continue;
    }
    if (byte === QUOTE) {
      if (depth === 1 && start === -1) start = at;
      at = stringEnd(raw, at + 1);
    } else if ((byte | 0x20) === 0x7d) {
      depth -= 1;
      if (depth === 0) {
        close();
        return spans;
      }
    } else {
      if (depth === 1 && start === -1) start = at;
      if ((byte | 0x20) === 0x7b) depth += 1;
    }
    lastEnd = at + 1;
  }
  return spans;
}

// A quote after an odd number of backslashes is an escaped one.
function stringEnd(raw: Buffer, from: number): number {
  for (let quote = raw.indexOf(QUOTE, from); quote !== -1; quote = raw.indexOf(QUOTE, quote + 1)) {
    let first = quote;
    while (first > from && raw[first - 1] === BACKSLASH) first -= 1;
    if ((quote - first) % 2 === 0) return quote;
  }
  return raw.length;
}
