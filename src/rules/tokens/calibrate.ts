// How many tokens a byte of text makes where the tokenizer is not public: a bound from what
// providers told so far. Never less than a token for six bytes, never more than one a byte.

export const BUCKETS = 500;
/** Fewer say too little of the longest thousandth. */
const SEEN_MIN = 200;
const QUANTILE = 0.999;
const MARGIN = 1.05;
const FACTOR_MIN = 1 / 6;

/** What was counted of a prompt: text in bytes, and what beside it has tokens by itself. */
export interface TextBytes {
  bytes: number;
  fixedTokens: number;
}

/** Which count an observation raises; undefined where it says nothing of text. */
export function bucketOf(
  { bytes, fixedTokens }: TextBytes,
  tokensTold: number,
): number | undefined {
  if (bytes <= 0) return undefined;
  const ratio = Math.max(0, tokensTold - fixedTokens) / bytes;
  return Math.min(BUCKETS, Math.ceil(ratio * BUCKETS));
}

/** Tokens a byte at most; undefined while too little was seen. */
export function factorOf(seen: ReadonlyMap<number, number>): number | undefined {
  let all = 0;
  for (const count of seen.values()) all += count;
  if (all < SEEN_MIN) return undefined;
  const wanted = Math.ceil(all * QUANTILE);
  let below = 0;
  for (let bucket = 0; bucket <= BUCKETS; bucket += 1) {
    below += seen.get(bucket) ?? 0;
    if (below < wanted) continue;
    return Math.min(1, Math.max(FACTOR_MIN, (bucket / BUCKETS) * MARGIN));
  }
  return 1;
}

export function tokensWithin({ bytes, fixedTokens }: TextBytes, factor: number): number {
  return fixedTokens + Math.ceil(bytes * factor);
}
