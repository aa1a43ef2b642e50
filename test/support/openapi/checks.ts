// What an API that describes itself promises: each answer is as its schema says, and what was sent
// is what is shown.

import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect } from 'vitest';
import type { Schema } from './bodies.js';

type Media = Record<string, { schema: Schema }>;

export interface Operation {
  operationId: string;
  tags: string[];
  'x-purser-kind': 'read' | 'write';
  parameters?: { name: string; in: string; required: boolean; schema: Schema }[];
  requestBody?: { content: { 'application/json': { schema: Schema } } };
  responses: Record<string, { content: Media }>;
}

export interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: { Error: Schema } };
}

/** Fails where an answer is not one that the operation may give. */
export type Check = (operation: Operation, status: number, body: unknown, what: string) => void;

export function checkOf({ components }: Document): Check {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  (addFormats as unknown as (on: Ajv2020) => void)(ajv);
  const refused = ajv.compile(components.schemas.Error);
  const compiled = new Map<Operation, ReturnType<typeof ajv.compile>>();
  return (operation, status, body, what) => {
    const content = operation.responses[status]?.content['application/json'];
    if (status < 400) expect(content, `${what}: no schema for ${status}`).toBeDefined();
    let accepts = status < 400 ? compiled.get(operation) : refused;
    if (!accepts) {
      accepts = ajv.compile(content!.schema);
      compiled.set(operation, accepts);
    }
    expect(accepts(body), `${what}: ${ajv.errorsText(accepts.errors)}`).toBe(true);
  };
}

/** Members of what was sent that are shown otherwise. */
export function shownOtherwise(sent: unknown, shown: Record<string, unknown>): string[] {
  if (typeof sent !== 'object' || sent === null) return [];
  return Object.entries(sent)
    .filter(([name, value]) => name in shown && !isSame(value, shown[name]))
    .map(([name, value]) => `${name}: ${JSON.stringify(value)} is ${JSON.stringify(shown[name])}`);
}

function isSame(sent: unknown, shown: unknown): boolean {
  if (JSON.stringify(sorted(sent)) === JSON.stringify(sorted(shown))) return true;
  if (typeof shown !== 'string') return false;
  // Money may be sent as a number; a moment in any zone.
  if (/^-?\d+(\.\d+)?$/.test(shown)) return Number(sent) === Number(shown);
  if (typeof sent !== 'string') return false;
  const isId = sent.toLowerCase() === shown;
  return isId || Date.parse(sent) === Date.parse(shown);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const names = Object.keys(value).sort();
  return names.map((name) => [name, sorted((value as Record<string, unknown>)[name])]);
}
