// The id under which a provider keeps an answer.

import type { JsonObject } from '../../core/json.js';

/** Undefined where there is none, or none that could be asked for. */
export function idOf(answer: JsonObject | undefined): string | undefined {
  const id = answer?.id;
  return typeof id === 'string' && isAnswerId(id) ? id : undefined;
}

/** Ids go into addresses: nothing that would be more than one segment of a path. */
export function isAnswerId(id: string): boolean {
  return /^\w[\w:-]{0,254}$/.test(id);
}
