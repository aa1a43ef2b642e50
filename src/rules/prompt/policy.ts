// What a call and its agent wish of a prompt: the body's member `purser`, and `prompt_policy` in
// the agent's `model_config`. Members that nobody knows are refused: a typing error in a budget
// must not become a prompt without one.

import { closest } from '../../core/closest.js';
import { type Refused, refuse } from '../../core/errors.js';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.js';

/** From the body. */
export interface PromptWish {
  template?: string;
  slots: Readonly<Record<string, string>>;
  maxPromptTokens?: number;
}

/** From the agent. */
export interface PromptPolicy {
  template?: string;
  maxPromptTokens?: number;
  /** A conversation that has outgrown the model's window is trimmed. */
  fitWindow: boolean;
  /** Whether what must be kept may be cut in mid-line where nothing else helps. */
  shave: boolean;
  /** What is left of the window for the answer, at the most. */
  outputTokensReserved: number;
}

const OUTPUT_TOKENS_RESERVED = 4_096;
const NAME_LENGTH_MAX = 100;

export function readPromptWish(value: Json | undefined): PromptWish | Refused {
  const read = new Members('purser', value, ['template', 'slots', 'max_prompt_tokens']);
  const template = read.one('template', 'the name of a template', isName);
  const maxPromptTokens = read.one('max_prompt_tokens', WHOLE, isWhole);
  const slots = read.one('slots', 'an object whose values are texts', isTexts) ?? {};
  return (
    read.refused ?? {
      slots,
      ...(template !== undefined && { template }),
      ...(maxPromptTokens !== undefined && { maxPromptTokens }),
    }
  );
}

/** Undefined: the agent has none. */
export function readPromptPolicy(modelConfig: JsonObject): PromptPolicy | Refused | undefined {
  const value = modelConfig.prompt_policy;
  if (value === undefined || value === null) return undefined;
  const read = new Members('prompt_policy', value, POLICY_KEYS);
  const template = read.one('template', 'the name of a template', isName);
  const maxPromptTokens = read.one('max_prompt_tokens', WHOLE, isWhole);
  const fitWindow = read.one('fit_window', 'true or false', isFlag) ?? false;
  const fallback = read.one('fallback', '`shave` or `refuse`', isFallback);
  const reserved = read.one('output_tokens_reserved', WHOLE, isWhole);
  return (
    read.refused ?? {
      fitWindow,
      shave: fallback !== 'refuse',
      outputTokensReserved: reserved ?? OUTPUT_TOKENS_RESERVED,
      ...(template !== undefined && { template }),
      ...(maxPromptTokens !== undefined && { maxPromptTokens }),
    }
  );
}

const WHOLE = 'a whole number of at least 1';
const POLICY_KEYS = [
  'template',
  'max_prompt_tokens',
  'fit_window',
  'fallback',
  'output_tokens_reserved',
];

/** Takes known members out of an object; notes the first that is wrong. */
class Members {
  refused: Refused | undefined;
  readonly #path: string;
  readonly #json: JsonObject;

  constructor(path: string, value: Json | undefined, known: readonly string[]) {
    this.#path = path;
    this.#json = isJsonObject(value) ? value : {};
    if (!isJsonObject(value)) this.#wrong(path, 'an object');
    const strange = Object.keys(this.#json).find((key) => !known.includes(key));
    if (strange === undefined) return;
    const meant = closest(strange, known);
    const hint = meant === undefined ? `It knows ${known.join(', ')}.` : `Did you mean ${meant}?`;
    const message = `\`${path}\` has no member ${JSON.stringify(strange.slice(0, 100))}. ${hint}`;
    this.refused ??= refuse('invalid_value', message, { param: path });
  }

  one<T extends Json>(key: string, must: string, is: (value: Json) => value is T): T | undefined {
    const value = this.#json[key];
    if (value === undefined || value === null) return undefined;
    if (is(value)) return value;
    this.#wrong(`${this.#path}.${key}`, must);
    return undefined;
  }

  #wrong(param: string, must: string): void {
    this.refused ??= refuse('invalid_value', `\`${param}\` must be ${must}.`, { param });
  }
}

function isName(value: Json): value is string {
  return typeof value === 'string' && value !== '' && value.length <= NAME_LENGTH_MAX;
}

function isWhole(value: Json): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1;
}

function isFlag(value: Json): value is boolean {
  return typeof value === 'boolean';
}

function isFallback(value: Json): value is 'shave' | 'refuse' {
  return value === 'shave' || value === 'refuse';
}

function isTexts(value: Json): value is Record<string, string> {
  return isJsonObject(value) && Object.values(value).every((text) => typeof text === 'string');
}
