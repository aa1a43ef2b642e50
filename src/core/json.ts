// The only door to JSON.parse: everything that is read from outside comes as `unknown`.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** Parses or answers undefined; for text whose being broken is an ordinary case. */
export function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** Parses text that we wrote ourselves; throws a SyntaxError if it is broken. */
export function parseOwnJson<T>(text: string): T {
  return JSON.parse(text) as T;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
