// What is wrong with a configuration, all at once: each problem with its place, what was expected
// and what to do. One text that an operator can act on.

import type { z } from 'zod';
import { configJsonSchema } from './config-json-schema.js';
import { closest } from './core/closest.js';
import { OperatorError } from './core/errors.js';

export type Path = readonly PropertyKey[];

export interface ConfigProblem {
  /** `limits[0].amount_usd`. */
  path: string;
  /** `line 12`, or the variable or flag that gave the value; empty where nothing gave it. */
  from: string;
  message: string;
  remedy: string;
}

export class ConfigError extends OperatorError {
  override name = 'ConfigError';
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[]) {
    const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
    const lines = problems.map((problem) => `  ${problemLine(problem)}`);
    super(
      `${file} has ${count}:\n${lines.join('\n')}`,
      'Mend the file, the variables or the flags named, and start again.',
    );
    this.problems = problems;
  }
}

function problemLine({ path, from, message, remedy }: ConfigProblem): string {
  const where = [path, from && `(${from})`].filter(Boolean).join(' ');
  return `${[where, message].filter(Boolean).join(': ')}${remedy && `. ${remedy}`}`;
}

export function spellPath(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}

/** One problem for each thing that the schema found; `fromOf` says where a value came from. */
export function problemsOf(
  issues: readonly z.core.$ZodIssue[],
  fromOf: (path: Path) => string,
): ConfigProblem[] {
  const schema = configJsonSchema() as JsonSchema;
  return issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => unknownKey(schema, [...issue.path, key], fromOf));
    }
    const expected = describedAt(schema, issue.path);
    const own = issue.code === 'custom' && issue.message !== 'Invalid input';
    const message = own ? issue.message : issue.input === undefined ? missing(issue) : 'is wrong';
    return {
      path: spellPath(issue.path),
      from: fromOf(issue.path),
      message,
      remedy: expected && !(own && /[,:]/.test(issue.message)) ? `Expected: ${expected}` : '',
    };
  });
}

// The schema does not report what it saw, only what it expected: "received undefined" is the one
// way to tell a key that is missing from one that is wrong.
function missing(issue: z.core.$ZodIssue): string {
  return /received undefined/.test(issue.message) ? 'is missing' : 'is wrong';
}

function unknownKey(schema: JsonSchema, path: Path, fromOf: (path: Path) => string) {
  const key = String(path.at(-1));
  const known = Object.keys(schemaAt(schema, path.slice(0, -1))?.properties ?? {});
  const guess = closest(key, known);
  const remedy = guess ? `Did you mean \`${guess}\`?` : `Known here: ${known.join(', ')}`;
  return { path: spellPath(path), from: fromOf(path), message: 'is no known key', remedy };
}

/** As much of a JSON schema as is walked here. */
interface JsonSchema {
  description?: string;
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | boolean;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
}

/** The nearest description on the way to the path: the value's own, or its section's. */
function describedAt(schema: JsonSchema, path: Path): string {
  for (let length = path.length; length > 0; length--) {
    const found = schemaAt(schema, path.slice(0, length))?.description;
    if (found !== undefined) return found;
  }
  return '';
}

function schemaAt(schema: JsonSchema, path: Path): JsonSchema | undefined {
  let here: JsonSchema | undefined = schema;
  for (const part of path) {
    if (here === undefined) return undefined;
    const inside: JsonSchema[] = [here, ...(here.anyOf ?? [])];
    here = inside.map((one) => stepInto(one, part)).find((one) => one !== undefined);
  }
  return here;
}

function stepInto(schema: JsonSchema, part: PropertyKey): JsonSchema | undefined {
  if (typeof part === 'number') return schema.items;
  const own = schema.properties?.[String(part)];
  if (own !== undefined) return own;
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;
}
