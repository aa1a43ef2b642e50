// Where an answer goes: the edge adapts Node's response to this, flows know nothing else of it.

export interface Sink {
  /**
   * Sends status and headers, which are the sink's from then on; once. `lines`: more headers, as
   * the lines that they are on the wire; none of them is among `headers`.
   */
  head(status: number, headers: Record<string, string>, lines?: string): void;
  /** Writes bytes in this tick. False: the reader is slow, wait for `onDrain`. */
  write(bytes: Uint8Array): boolean;
  /** Writes the rest and ends the answer properly. */
  end(bytes?: Uint8Array): void;
  /** Breaks the connection: the reader must not take what it has for a whole answer. */
  destroy(): void;
  /** Calls back once, at the next drain. */
  onDrain(callback: () => void): void;
  /** Calls back once if the reader leaves before `end`; at once if it has left already. */
  onLeave(callback: () => void): void;
  readonly headSent: boolean;
  readonly left: boolean;
}
