// A stored response, asked for or deleted by its id: it goes to the provider that made it, with the
// gateway's own credential, and only for the key that asked for it. Nobody bills it.

import { type Refused, refuse } from '../../core/errors.js';
import type { UpstreamFailure } from '../../core/upstream.js';
import type { ResponseIds } from '../../stores/response-ids.js';
import { FAILURES, type Head, isFailure } from './exchange.js';
import { passedHeaders } from './headers.js';

export interface KeptResponseDeps {
  responseIds: Pick<ResponseIds, 'find' | 'forget'>;
  /** Undefined: the provider is not configured any more. */
  send(
    provider: string,
    method: 'GET' | 'DELETE',
    path: string,
  ): Promise<(Head & { body: Buffer }) | UpstreamFailure | undefined>;
}

export interface KeptResponseRequest {
  keyId: string;
  id: string;
  method: 'GET' | 'DELETE';
  /** With its question mark, or empty. */
  query: string;
}

export interface KeptResponse {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

export async function keptResponse(
  deps: KeptResponseDeps,
  { keyId, id, method, query }: KeptResponseRequest,
): Promise<KeptResponse | Refused> {
  const owner = await deps.responseIds.find(id);
  // Another key's response is as unknown as one that never was.
  if (owner?.keyId !== keyId) return notFound(id);
  const { provider } = owner;
  const answer = await deps.send(provider, method, `/responses/${id}${query}`);
  if (answer === undefined) return notFound(id);
  if (isFailure(answer)) {
    return refuse('upstream_error', `${provider} cannot be reached: ${FAILURES[answer.kind]}.`);
  }
  const { status, body } = answer;
  if (status === 401 || status === 403) {
    const message = `${provider} refused Purser's credential with ${status}; check its api_key.`;
    return refuse('upstream_error', message);
  }
  if (status >= 300 && status < 400) {
    return refuse('upstream_error', `${provider} answered with a redirect; check its base_url.`);
  }
  const isGone = method === 'DELETE' && (status === 404 || (status >= 200 && status < 300));
  if (isGone) await deps.responseIds.forget(id);
  return { status, headers: { ...passedHeaders(answer), 'x-purser-provider': provider }, body };
}

function notFound(id: string): Refused {
  const message = `The response ${JSON.stringify(id.slice(0, 100))} is not known to this key.`;
  return refuse('not_found', message, { param: 'id' });
}
