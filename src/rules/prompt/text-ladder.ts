// The states a text can be cut to, from its shortest to the whole. A place to cut is found by
// adding up counts of blocks, which are remembered from call to call, and of the lines of one
// block; what is then cut is counted once more as a whole, so that its tokens are exact.

import { fineCuts, lineCuts, solidSpans } from './cut-points.js';
import type { Span } from './json-values.js';
import type { Steps } from './slot.js';

export const TRIM_MARKER = '[trimmed]';

export interface TextCut {
  /** Where the kept part ends. */
  at: number;
  /** The kept part and the marker. */
  text: string;
  tokens: number;
  /** Not at a line's end. */
  shaved: boolean;
}

export interface TextLadder {
  text: string;
  wholeTokens: number;
  lines: readonly number[];
  /** The first line cut that keeps `minChars`; as many as there are lines where none does. */
  floorIndex: number;
  /** What must stay of a text that may not be dropped; undefined: the whole text. */
  floor: TextCut | undefined;
  hard: TextCut | undefined;
  /** Places before the first line cut; none where shaving is not allowed. */
  fine: readonly number[];
}

const BLOCK_UNITS = 2_000;
/** About the tokens of a block: only how many are asked for at once depends on it. */
const BLOCK_TOKENS = 500;
const BLOCKS_EACH = 32;

export function* readLadder(
  text: string,
  wholeTokens: number,
  options: { mustKeep: boolean; minChars: number; shave: boolean },
): Steps<TextLadder> {
  const spans = yield* solidSpans(text);
  const lines = yield* lineCuts(text, spans);
  const ladder: TextLadder = {
    text,
    wholeTokens,
    lines,
    floorIndex: firstAtLeast(lines, options.minChars),
    floor: undefined,
    hard: undefined,
    fine: [],
  };
  if (!options.mustKeep) return ladder;
  if (options.shave) ladder.fine = yield* shaveCuts(ladder, spans);
  ladder.floor = shorter(yield* cutAt(ladder, lines[ladder.floorIndex]), wholeTokens);
  const least = yield* cutAt(ladder, ladder.fine[0] ?? lines[0]);
  ladder.hard = shorter(least, ladder.floor?.tokens ?? wholeTokens) ?? ladder.floor;
  return ladder;
}

/** The longest state within the allowance; undefined where there is none. */
export function* cutText(
  ladder: TextLadder,
  mustKeep: boolean,
  allowance: number,
): Steps<TextCut | undefined> {
  const { floor, hard, lines, floorIndex, fine } = ladder;
  const picked = yield* pick(ladder, lines, allowance);
  if (!mustKeep) return picked === undefined || picked.index < floorIndex ? undefined : picked.cut;
  // Sums of blocks may be a token above the count of the whole: the floor is kept all the same.
  if (floor && allowance >= floor.tokens && (picked?.index ?? -1) <= floorIndex) return floor;
  if (picked) return picked.cut;
  const shaved = yield* pick(ladder, fine, allowance);
  return shaved?.cut ?? hard;
}

function* pick(
  ladder: TextLadder,
  cuts: readonly number[],
  allowance: number,
): Steps<{ index: number; cut: TextCut } | undefined> {
  const [markerTokens = 0] = yield [TRIM_MARKER];
  let index = yield* lastWithin(ladder.text, cuts, allowance - markerTokens);
  for (; index >= 0; index -= 1) {
    const cut = yield* cutAt(ladder, cuts[index]);
    if (cut && cut.tokens <= allowance && cut.tokens < ladder.wholeTokens) return { index, cut };
  }
  return undefined;
}

/** The last cut up to which blocks and lines add up to no more than `room`; -1 for none. */
function* lastWithin(text: string, cuts: readonly number[], room: number): Steps<number> {
  let sum = 0;
  let last = -1;
  while (last < cuts.length - 1 && sum < room) {
    const most = Math.min(BLOCKS_EACH, Math.ceil((room - sum) / BLOCK_TOKENS) + 1);
    const ends = blockEnds(cuts, last, most);
    const counts = yield pieces(text, cuts, last, ends);
    let index = 0;
    while (index < ends.length && sum + counts[index]! <= room) {
      sum += counts[index]!;
      last = ends[index]!;
      index += 1;
    }
    const over = ends[index];
    if (over === undefined) continue;
    const lines = Array.from({ length: over - last }, (_, line) => last + 1 + line);
    for (const count of yield pieces(text, cuts, last, lines)) {
      sum += count;
      if (sum > room) break;
      last += 1;
    }
    return last;
  }
  return last;
}

/** Indices of cuts at which blocks end that follow the cut `last`. */
function blockEnds(cuts: readonly number[], last: number, most: number): number[] {
  const ends: number[] = [];
  let from = last === -1 ? 0 : cuts[last]!;
  for (let index = last + 1; index < cuts.length && ends.length < most; index += 1) {
    if (cuts[index]! - from < BLOCK_UNITS && index < cuts.length - 1) continue;
    ends.push(index);
    from = cuts[index]!;
  }
  return ends;
}

function pieces(text: string, cuts: readonly number[], last: number, ends: readonly number[]) {
  let from = last === -1 ? 0 : cuts[last]!;
  return ends.map((index) => {
    const piece = text.slice(from, cuts[index]);
    from = cuts[index]!;
    return piece;
  });
}

function* shaveCuts(ladder: TextLadder, spans: readonly Span[]): Steps<number[]> {
  return yield* fineCuts(ladder.text, spans, ladder.lines[0] ?? ladder.text.length);
}

function* cutAt(ladder: TextLadder, at: number | undefined): Steps<TextCut | undefined> {
  if (at === undefined) return undefined;
  const head = ladder.text.slice(0, at);
  const shaved = !head.endsWith('\n');
  const text = `${head}${shaved ? '\n' : ''}${TRIM_MARKER}`;
  const [tokens = 0] = yield [text];
  return { at, text, tokens, shaved };
}

function shorter(cut: TextCut | undefined, tokens: number): TextCut | undefined {
  return cut && cut.tokens < tokens ? cut : undefined;
}

function firstAtLeast(offsets: readonly number[], least: number): number {
  let [low, high] = [0, offsets.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (offsets[middle]! < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
