// The doors to a stored response: GET and DELETE /v1/responses/{id}.

import type { Call, Caller } from '../../core/call.js';
import { isRefused, type Refused, refuse } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { KeptResponse, KeptResponseRequest } from '../../flows/call/kept-response.js';
import { isAnswerId } from '../../rules/dialects/answer-id.js';
import { answerProblem, answerText, type Exchange } from './exchange.js';

export interface KeptResponseDoorDeps {
  log: Log;
  authenticate(part: Pick<Call, 'credential' | 'claims'>): Caller | Refused;
  /** Rejects while SQL, which knows whose a response is, cannot be asked. */
  serve(request: KeptResponseRequest): Promise<KeptResponse | Refused>;
}

export type KeptResponseDoor = (
  exchange: Exchange,
  method: 'GET' | 'DELETE',
  id: string,
) => Promise<void>;

/** What of a query goes on to the provider. */
const QUERY = new Set(['include', 'include[]', 'include_obfuscation', 'starting_after']);

export function createKeptResponseDoor(deps: KeptResponseDoorDeps): KeptResponseDoor {
  return async (exchange, method, id) => {
    exchange.operation = 'responses';
    const answer = await ask(deps, exchange, method, id);
    if (isRefused(answer)) return answerProblem(exchange, answer.refused);
    const headers = { ...answer.headers, 'x-request-id': exchange.requestId };
    answerText(exchange, answer.status, answer.body, headers);
  };
}

async function ask(
  deps: KeptResponseDoorDeps,
  { said, url, requestId }: Exchange,
  method: 'GET' | 'DELETE',
  id: string,
): Promise<KeptResponse | Refused> {
  const { credential } = said;
  if (isRefused(credential)) return credential;
  const caller = deps.authenticate({ credential, claims: {} });
  if (isRefused(caller)) return caller;
  if (!isAnswerId(id)) return refuse('not_found', 'That is no id of a response.', { param: 'id' });
  const query = queryOf(url);
  if (isRefused(query)) return query;
  try {
    return await deps.serve({ keyId: caller.keyId, id, method, query });
  } catch (error) {
    deps.log.error({ requestId, error }, 'a stored response could not be looked up');
    const headers = { 'retry-after': '5' };
    return refuse('database_unavailable', 'The database cannot be asked now.', { headers });
  }
}

function queryOf(url: string): string | Refused {
  const at = url.indexOf('?');
  if (at < 0) return '';
  const passed = new URLSearchParams();
  for (const [name, value] of new URLSearchParams(url.slice(at + 1))) {
    if (QUERY.has(name)) passed.append(name, value);
    else if (name === 'stream' && value === 'true') {
      const message = 'A stored response is told whole, not as a stream.';
      return refuse('unsupported_parameter', message, { param: 'stream' });
    }
  }
  return passed.size === 0 ? '' : `?${passed}`;
}
