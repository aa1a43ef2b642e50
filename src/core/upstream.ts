// One request to a provider, as the flow sees it. `drivers/upstream.ts` is the real one.

export interface UpstreamRequest {
  method: 'GET' | 'POST' | 'DELETE';
  url: string;
  /** Never changed: one object may be the headers of many requests. */
  headers: Readonly<Record<string, string>>;
  body: readonly Uint8Array[] | null;
  /** Whether private and loopback addresses may be dialled. */
  allowPrivate: boolean;
  connectTimeoutMs: number;
  /** From dispatch to the first byte of the body. */
  firstByteTimeoutMs: number;
  /** Between bytes of the body, while not paused. */
  idleTimeoutMs: number;
}

export interface UpstreamFailure {
  kind:
    | 'connect'
    | 'connect_timeout'
    | 'blocked'
    | 'first_byte_timeout'
    | 'idle_timeout'
    | 'reset'
    | 'protocol'
    | 'aborted';
  /** Whether any byte of the request may have reached the upstream. */
  sent: boolean;
  message: string;
}

/** Exactly one of `onEnd` and `onFail` is called, and nothing after it. */
export interface UpstreamHandler {
  /** The request is on the upstream's socket. */
  onSent(): void;
  onHead(status: number, headers: Record<string, string>): void;
  onBytes(chunk: Buffer): void;
  onEnd(): void;
  onFail(failure: UpstreamFailure): void;
}

export interface UpstreamCall {
  pause(): void;
  resume(): void;
  abort(): void;
}

export interface Upstream {
  send(request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall;
  close(): Promise<void>;
}
