// What an answer says of itself: the id under which its provider keeps it, and its tier.

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

/** The tier of service that an answer reports. */
export function tierOf(answer: JsonObject): string | undefined {
  const tier = answer.service_tier;
  return typeof tier === 'string' && tier !== '' ? tier.slice(0, 40) : undefined;
}
