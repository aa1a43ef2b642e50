// Checks of request members that several wire formats share. What is refused names its member.

import { type Refused, refuse } from '../../core/errors.js';
import type { Json, JsonObject } from '../../core/json.js';

const MODEL_LENGTH_MAX = 256;
const END_USER_LENGTH_MAX = 256;

export function wrong(param: string, must: string): Refused {
  return refuse('invalid_value', `\`${param}\` must be ${must}.`, { param });
}

export function checkModel({ model }: JsonObject): Refused | undefined {
  if (typeof model !== 'string' || model === '') return wrong('model', 'the name of a model');
  if (model.length > MODEL_LENGTH_MAX) {
    return wrong('model', `at most ${MODEL_LENGTH_MAX} characters long`);
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(model)) return wrong('model', 'without control characters');
  return undefined;
}

export function isFlag(value: Json | undefined): boolean {
  return value === undefined || value === null || typeof value === 'boolean';
}

export function isWhole(value: Json, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= max;
}

/** The end user whom a member of the body names, shortened to what a row keeps. */
export function endUserOf(value: Json | undefined): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  return value.slice(0, END_USER_LENGTH_MAX);
}
