// One small request to a provider, its answer whole: for what is asked beside the path of a call.

import type { Upstream, UpstreamFailure, UpstreamRequest } from '../core/upstream.js';

export interface WholeAnswer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

export function sendWhole(
  upstream: Upstream,
  request: UpstreamRequest,
  bytesMax: number,
): Promise<WholeAnswer | UpstreamFailure> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let head: { status: number; headers: Record<string, string> } = { status: 0, headers: {} };
    const call = upstream.send(request, {
      onSent: () => {},
      onHead: (status, headers) => {
        head = { status, headers };
      },
      onBytes: (chunk) => {
        bytes += chunk.length;
        if (bytes <= bytesMax) chunks.push(chunk);
        else call.abort();
      },
      onEnd: () => resolve({ ...head, body: Buffer.concat(chunks) }),
      onFail: resolve,
    });
  });
}
