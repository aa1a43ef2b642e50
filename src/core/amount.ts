// What an envelope counts in, and one amount for each unit. A call has one amount a unit: every
// money envelope that it touches holds the same nano-USD, every token envelope the same tokens.

export type Unit = 'nano_usd' | 'tokens' | 'requests' | 'concurrency';
export const UNITS: readonly Unit[] = ['nano_usd', 'tokens', 'requests', 'concurrency'];

export type Amounts = Readonly<Record<Unit, number>>;

export const NOTHING: Amounts = { nano_usd: 0, tokens: 0, requests: 0, concurrency: 0 };

/** The greater of each unit: what is charged is never below the prompt nor below what was seen. */
export function maxAmounts(left: Amounts, right: Amounts): Amounts {
  return {
    nano_usd: Math.max(left.nano_usd, right.nano_usd),
    tokens: Math.max(left.tokens, right.tokens),
    requests: Math.max(left.requests, right.requests),
    concurrency: Math.max(left.concurrency, right.concurrency),
  };
}
