// One dated row of the price catalog. Prices are integer pico-USD (1e-12) for each token.

/** Pico-USD a token, by class; a class that is absent costs what its fallback costs. */
export interface TokenPrices {
  input: number;
  /** Falls back to `input`. */
  cachedRead?: number;
  /** Falls back to `input`. */
  cacheWrite5m?: number;
  /** Falls back to `cacheWrite5m`, then `input`. */
  cacheWrite1h?: number;
  output: number;
  /** Falls back to `output`. */
  reasoning?: number;
  /** Fall back to `input` and `output`. */
  audioInput?: number;
  audioOutput?: number;
  imageInput?: number;
}

export interface Price extends TokenPrices {
  provider: string;
  /** The catalog's own name of the model. */
  model: string;
  /** Which content of the catalog this is; rows of usage name it. */
  version: string;
  /** Rates once the whole input is over `aboveInputTokens`, ascending. */
  tiers?: readonly (TokenPrices & { aboveInputTokens: number })[];
  /** Rates of other tiers of service by their names (`flex`, `priority`), whatever the input. */
  serviceTiers?: Readonly<Record<string, TokenPrices>>;
  feeRequestNanoUsd?: number;
  feeWebSearchNanoUsd?: number;
  contextTokens?: number;
  outputTokensMax?: number;
  /** Reasoning is billed but not streamed: the whole bound must be held. */
  hiddenOutput?: boolean;
  /** Where the row came from. */
  source: string;
}
