// Tokens by class, disjoint: `input` is what was neither read from nor written to a cache,
// `output` has no reasoning in it. Their sum is what a token envelope is charged.

export interface Usage {
  input: number;
  cachedRead: number;
  /** Cache writes kept for 5 minutes and for an hour have two prices. */
  cacheWrite5m: number;
  cacheWrite1h: number;
  output: number;
  reasoning: number;
  audioInput: number;
  audioOutput: number;
  imageInput: number;
  /** Billed requests: fees per request are priced by it. */
  requests: number;
  webSearches: number;
}

export const NO_USAGE: Readonly<Usage> = {
  input: 0,
  cachedRead: 0,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  output: 0,
  reasoning: 0,
  audioInput: 0,
  audioOutput: 0,
  imageInput: 0,
  requests: 0,
  webSearches: 0,
};

/** provider: its own; counted: our tokenizer; estimated: a bound; reconciled: asked later. */
export type UsageSource = 'provider' | 'counted' | 'estimated' | 'reconciled';

export function inputTokens(usage: Usage): number {
  const { input, cachedRead, cacheWrite5m, cacheWrite1h, audioInput, imageInput } = usage;
  return input + cachedRead + cacheWrite5m + cacheWrite1h + audioInput + imageInput;
}

export function outputTokens(usage: Usage): number {
  return usage.output + usage.reasoning + usage.audioOutput;
}

export function addUsage(left: Usage, right: Usage): Usage {
  const sum = { ...left };
  for (const key of Object.keys(sum) as (keyof Usage)[]) sum[key] += right[key];
  return sum;
}
