// Whether a provider keeps the answer of a call under its id, so that it can be asked for it later.

import type { CallBody, Operation, ProviderQuirks } from '../../core/call.js';
import type { KeptAs } from '../../core/usage-event.js';

/** Undefined: it does not. Responses are kept unless told otherwise, completions if told so. */
export function keptAs(
  operation: Operation,
  { json }: Pick<CallBody, 'json'>,
  { keeps }: ProviderQuirks,
): KeptAs | undefined {
  if (operation === 'responses') return json.store === false ? undefined : 'response';
  if (keeps === 'generations') return 'generation';
  return operation === 'chat' && keeps === 'completions' && json.store === true
    ? 'completion'
    : undefined;
}

/** Where a kept answer is asked for, below the provider's address. */
export function keptPath(as: KeptAs, id: string): string {
  if (as === 'generation') return `/generation?id=${id}`;
  return as === 'response' ? `/responses/${id}` : `/chat/completions/${id}`;
}
