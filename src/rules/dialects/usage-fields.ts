// The counts of one usage object. A count is a whole number from 0 to 1e12, or it is refused by
// itself and named; what is absent stays undefined, so that nobody takes it for 0.

import { isJsonObject, type Json, type JsonObject } from '../../core/json.js';

export const COUNT_MAX = 1_000_000_000_000;
const NO_MEMBERS: JsonObject = {};

export function isCount(value: Json | undefined): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= COUNT_MAX;
}

/** The fields of one usage object; what is refused is noted once. */
export class UsageFields {
  readonly anomalies: string[] = [];
  readonly #usage: JsonObject;

  constructor(usage: JsonObject) {
    this.#usage = usage;
  }

  own(name: string): number | undefined {
    return this.#count(name, this.#usage[name]);
  }

  of(parent: string, name: string): number | undefined {
    const held = this.#usage[parent];
    const members = isJsonObject(held) ? held : NO_MEMBERS;
    return this.#count(name, members[name]);
  }

  /** Notes the refusal and answers 0, which is what a refused part counts as. */
  refuse(name: string, why: string): 0 {
    const note = `${name}: ${why}`;
    if (!this.anomalies.includes(note)) this.anomalies.push(note);
    return 0;
  }

  #count(name: string, value: Json | undefined): number | undefined {
    if (value === undefined || value === null) return undefined;
    if (isCount(value)) return value;
    this.refuse(name, JSON.stringify(value).slice(0, 40));
    return undefined;
  }
}
