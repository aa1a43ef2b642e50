// What a connection may send and how long it may take for it: one set for whoever reads it.

export interface Limits {
  headerBytesMax: number;
  headersMax: number;
  urlBytesMax: number;
  connectionsMax: number;
  /** From the connection to the end of the headers. */
  headersTimeoutMs: number;
  /** From the first byte of a request to the last of its body. */
  requestTimeoutMs: number;
  keepAliveMs: number;
}

/** How much, and how long, is read on after an answer to a request that was not read to its end. */
export const LINGER = { bytesMax: 64 * 1024, ms: 1_000 };

export const LIMITS: Limits = {
  headerBytesMax: 16 * 1024,
  headersMax: 128,
  urlBytesMax: 8 * 1024,
  connectionsMax: 20_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 300_000,
  keepAliveMs: 65_000,
};
