// The names of the ledger's keys in Redis. All share one hash tag, because one call spans envelopes
// and a script may touch keys of one slot only; README.md says what lies in each.

export interface LedgerKeys {
  readonly state: string;
  readonly limits: string;
  readonly leases: string;
  readonly labels: string;
  readonly outbox: string;
  /** The last fencing token given to a worker. */
  readonly fence: string;
  /** The last start of Redis, and whether its log was written anew since. */
  readonly start: string;
  /** When each gateway was last heard of. */
  readonly roll: string;
  reservation(id: string): string;
  counter(envelope: string, label: string): string;
  /** The other way round; undefined for a key that is no counter's. */
  counterOf(key: string): { envelope: string; label: string } | undefined;
  adjust(id: string): string;
  worker(name: string): string;
  /** What every key begins with. */
  readonly prefix: string;
}

export function ledgerKeys(tag = 'main'): LedgerKeys {
  const prefix = `{${tag}}:`;
  const counters = `${prefix}c:`;
  return {
    prefix,
    state: `${prefix}state`,
    limits: `${prefix}limits`,
    leases: `${prefix}leases`,
    labels: `${prefix}labels`,
    outbox: `${prefix}outbox`,
    fence: `${prefix}fence`,
    start: `${prefix}start`,
    roll: `${prefix}roll`,
    reservation: (id) => `${prefix}r:${id}`,
    // A label has no bar in it, so the last one parts the two whatever the envelope's value is.
    counter: (envelope, label) => `${counters}${envelope}|${label}`,
    counterOf(key) {
      const bar = key.lastIndexOf('|');
      if (!key.startsWith(counters) || bar < 0) return undefined;
      return { envelope: key.slice(counters.length, bar), label: key.slice(bar + 1) };
    },
    adjust: (id) => `${prefix}a:${id}`,
    worker: (name) => `${prefix}w:${name}`,
  };
}
