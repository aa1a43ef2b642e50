// Cuts text so that no tokenizer is ever handed a long run without a natural split: byte-pair
// encoding is quadratic in such a run (a megabyte of one letter would take a quarter of an hour).
// Elsewhere text is cut only where both encodings split anyway, so that the count stays exact.

/** The longest run handed on, in UTF-8 bytes: words of any language are shorter. */
export const RUN_BYTES_MAX = 256;
/** What a forced cut may hide: 1 was too little in 3 of 12,000 random texts, 2 in none. */
export const CUT_TOKENS = 2;
/** About the length of a slice, in UTF-16 units: a few milliseconds of encoding. */
export const SLICE_UNITS = 16_384;

const LETTER = 1;
const DIGIT = 2;
const SPACE = 3;
const BREAK = 4;
const OTHER = 5;
// Marks, surrogates and unassigned characters belong to letters in one encoding or Unicode version
// and not in another: they lengthen whatever run they are in.
const WILD = 6;

const classes = new Uint8Array(65_536);

export interface Slice {
  text: string;
  /**
   * Cut where a tokenizer would not split. Two halves of a run may make a token or two less than
   * the whole (greedy merging is not the shortest), so a bound adds CUT_TOKENS for each such cut.
   */
  forced: boolean;
}

/** The slices of `text`, in order; joined they are `text`. */
export function* slices(text: string): Generator<Slice> {
  if (text.length * 3 <= RUN_BYTES_MAX) {
    yield { text, forced: false };
    return;
  }
  let start = 0;
  let run = 0;
  let kind = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    const met = classes[code] || classify(code);
    const next = kindAfter(kind, met);
    const low = code >= 0xdc00 && code <= 0xdfff;
    const long = at - start >= SLICE_UNITS;
    if (long && !low && mayCut(kind, next, at - start)) {
      yield { text: text.slice(start, at), forced: next !== SPACE };
      start = at;
      run = 0;
    } else if (next !== kind || next === DIGIT) {
      run = 0;
    }
    kind = next;
    run += code < 0x80 ? 1 : code < 0x800 || low ? 2 : 3;
    if (run > RUN_BYTES_MAX && !low) {
      yield { text: text.slice(start, at), forced: true };
      start = at;
      run = 3;
    }
  }
  if (start < text.length) yield { text: text.slice(start), forced: false };
}

// A line break after punctuation is part of it, elsewhere it is white space.
function kindAfter(kind: number, met: number): number {
  if (met === WILD) return kind === 0 ? OTHER : kind;
  if (met === BREAK) return kind === OTHER ? OTHER : SPACE;
  return met;
}

// Both encodings split between a word or number and the space after it. Text without such places
// is cut between a letter and a sign, and in the end anywhere.
function mayCut(kind: number, next: number, units: number): boolean {
  if (next === SPACE) return kind === LETTER || kind === DIGIT;
  if (units >= 4 * SLICE_UNITS) return true;
  return units >= 2 * SLICE_UNITS && kind === LETTER && next === OTHER;
}

function classify(code: number): number {
  const char = String.fromCharCode(code);
  const found = classOf(code, char);
  classes[code] = found;
  return found;
}

function classOf(code: number, char: string): number {
  if (code === 10 || code === 13) return BREAK;
  // White space for one regular-expression engine and not for the other.
  if (code === 0x85 || code === 0xfeff) return WILD;
  if (code >= 0xd800 && code <= 0xdfff) return WILD;
  if (/\p{L}/u.test(char)) return LETTER;
  if (/\p{N}/u.test(char)) return DIGIT;
  if (/\s/u.test(char)) return SPACE;
  return /[\p{M}\p{Cn}]/u.test(char) ? WILD : OTHER;
}
