// Money as fractions of whole numbers: the oracle that charges are compared with. It shares no code
// with the product, and nothing in it is rounded before the end.

export interface Fraction {
  top: bigint;
  bottom: bigint;
}

export const ZERO: Fraction = { top: 0n, bottom: 1n };

/** A decimal as it is written: `0.075`. */
export function decimal(text: string): Fraction {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(text);
  if (!match) throw new Error(`no decimal: ${text}`);
  const places = match[2]?.length ?? 0;
  return { top: BigInt(`${match[1]}${match[2] ?? ''}`), bottom: 10n ** BigInt(places) };
}

export function add(left: Fraction, right: Fraction): Fraction {
  return {
    top: left.top * right.bottom + right.top * left.bottom,
    bottom: left.bottom * right.bottom,
  };
}

export function times(left: Fraction, count: number | bigint): Fraction {
  return { top: left.top * BigInt(count), bottom: left.bottom };
}

export function over(left: Fraction, divisor: number | bigint): Fraction {
  return { top: left.top, bottom: left.bottom * BigInt(divisor) };
}

/** USD as whole nano-USD: what is left over counts as one more. */
export function ceilNano({ top, bottom }: Fraction): bigint {
  const nano = top * 1_000_000_000n;
  return nano / bottom + (nano % bottom === 0n ? 0n : 1n);
}
