// Bodies and queries made from the schemas of an OpenAPI document: mostly what is asked for, often
// nearly so. What a schema cannot say (whose id, which zone) comes by the name of the member.

import fc from 'fast-check';

export type Schema = Record<string, unknown> & {
  type?: string | string[];
  format?: string;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
};

/** Values by the name of a member, tried before its schema. */
export type Hints = Readonly<Record<string, fc.Arbitrary<unknown>>>;

const DAY_MS = 86_400_000;
const TEXT = fc.oneof(
  { weight: 6, arbitrary: fc.stringMatching(/^[a-z]{3,12}$/) },
  { weight: 2, arbitrary: fc.constantFrom('1.5', '2026-11-21', 'Grüße 🙂', '*') },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
);

export function likely(schema: Schema, hints: Hints, name = ''): fc.Arbitrary<unknown> {
  const hint = Object.hasOwn(hints, name) ? hints[name] : undefined;
  const plain = ofSchema(schema, hints, name);
  return hint ? fc.oneof({ weight: 9, arbitrary: hint }, { weight: 1, arbitrary: plain }) : plain;
}

function ofSchema(schema: Schema, hints: Hints, name: string): fc.Arbitrary<unknown> {
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one) => likely(one, hints, name)));
  if (Array.isArray(schema.type)) {
    return fc.oneof(...schema.type.map((type) => ofSchema({ ...schema, type }, hints, name)));
  }
  const { minimum = 0, maximum = 100 } = schema;
  switch (schema.type) {
    case 'object':
      return objectOf(schema, hints);
    case 'array':
      return fc.array(likely(schema.items ?? {}, hints, name), { maxLength: 2 });
    case 'integer': {
      const within = fc.integer({ min: Math.max(minimum, -99), max: Math.min(maximum, 1_000) });
      return fc.oneof({ weight: 9, arbitrary: within }, { weight: 1, arbitrary: fc.integer() });
    }
    case 'number':
      return fc.oneof(
        fc.integer({ min: Math.ceil(minimum), max: Math.min(maximum, 1_000) }),
        fc.constant(0.5),
        fc.double(),
      );
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'string':
      return textOf(schema);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

function textOf({ format, pattern }: Schema): fc.Arbitrary<string> {
  const soon = fc.integer({ min: 1, max: 30 }).map((days) => new Date(Date.now() + days * DAY_MS));
  if (format === 'date-time') return soon.map((at) => at.toISOString());
  if (format === 'date') return soon.map((at) => at.toISOString().slice(0, 10));
  if (format === 'uuid') return fc.uuid();
  return pattern === undefined ? TEXT : fc.stringMatching(new RegExp(pattern));
}

/** What is needed, and of the rest a few members or nearly all. */
function objectOf(schema: Schema, hints: Hints): fc.Arbitrary<unknown> {
  const { properties = {}, required = [] } = schema;
  const values = Object.fromEntries(
    Object.entries(properties).map(([name, inner]) => [name, likely(inner, hints, name)]),
  );
  const optional = Object.keys(properties).filter((name) => !required.includes(name));
  const kept = fc.oneof(
    { weight: 5, arbitrary: fc.subarray(optional, { maxLength: Math.min(3, optional.length) }) },
    { weight: 1, arbitrary: fc.subarray(optional) },
  );
  return kept.chain((names) => {
    const chosen = [...required, ...names].filter((name) => name in values);
    return fc.record(Object.fromEntries(chosen.map((name) => [name, values[name]!])));
  });
}
