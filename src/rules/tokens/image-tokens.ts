// What an image costs in tokens, by the published rule of its model's family. Where the size is
// not known, or no rule is, the dearest that can come of it.

import type { PixelSize } from './image-size.js';

interface Tiles {
  base: number;
  tile: number;
}

// 512 px tiles after fitting into 2048 x 2048 and then to a shortest side of 768 px.
const TILES: readonly [RegExp, Tiles][] = [
  [/^gpt-4o-mini/, { base: 2833, tile: 5667 }],
  [
    /^(?:gpt-4o|gpt-4\.1(?!-mini|-nano)|gpt-4\.5|gpt-4-(?:turbo|vision)|chatgpt-4o)/,
    { base: 85, tile: 170 },
  ],
  [/^(?:o1|o3)(?!-mini)/, { base: 75, tile: 150 }],
  [/^gpt-5(?:-chat|-\d{4}|$)/, { base: 70, tile: 140 }],
];
const TILES_MAX = 8;

// 32 px patches, scaled down to at most 1536 of them, times a factor of the model.
const PATCHES: readonly [RegExp, number][] = [
  [/^(?:gpt-4\.1-mini|gpt-5-mini)/, 1.62],
  [/^(?:gpt-4\.1-nano|gpt-5-nano)/, 2.46],
  [/^o4-mini/, 1.72],
];
const PATCHES_MAX = 1_536;

// Without a rule: 28 px patches, as the finest of the others count, and at most 16,384 of them.
const UNKNOWN_PATCH = 28;
const UNKNOWN_MAX = 16_384;

export function imageTokens(
  model: string,
  size: PixelSize | undefined,
  detail: string | undefined,
): number {
  const name = model.toLowerCase().replace(/^openai\//, '');
  const tiles = TILES.find(([pattern]) => pattern.test(name))?.[1];
  if (tiles !== undefined) {
    const count = detail === 'low' ? 0 : size === undefined ? TILES_MAX : tileCount(size);
    return tiles.base + tiles.tile * count;
  }
  const factor = PATCHES.find(([pattern]) => pattern.test(name))?.[1];
  if (factor !== undefined) {
    const patches = size === undefined ? PATCHES_MAX : Math.min(patchCount(size, 32), PATCHES_MAX);
    return Math.ceil(patches * factor);
  }
  if (size === undefined) return UNKNOWN_MAX;
  return Math.min(patchCount(size, UNKNOWN_PATCH) + 2, UNKNOWN_MAX);
}

function tileCount({ width, height }: PixelSize): number {
  const fit = Math.min(1, 2048 / Math.max(width, height));
  const shrink = Math.min(1, 768 / (Math.min(width, height) * fit));
  const side = (pixels: number) => Math.ceil(Math.max(1, Math.round(pixels * fit * shrink)) / 512);
  return Math.min(side(width) * side(height), TILES_MAX);
}

function patchCount({ width, height }: PixelSize, side: number): number {
  return Math.ceil(width / side) * Math.ceil(height / side);
}
