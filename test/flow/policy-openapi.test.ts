// The description of the admin API, and every operation of it with bodies made from it.

import fc from 'fast-check';
import { beforeAll, expect, test, vi } from 'vitest';
import { openAdmin } from '../support/admin.js';
import { freshDatabase, warmPglite } from '../support/databases.js';

vi.setConfig({ testTimeout: 120_000 });
beforeAll(warmPglite, 120_000);

type Schema = Record<string, unknown> & {
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
};

interface Operation {
  operationId: string;
  parameters?: { name: string; in: string; schema: Schema }[];
  requestBody?: { content: { 'application/json': { schema: Schema } } };
}

/** Values that are nearly or wholly what a schema asks for. */
function likely(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(likely));
  switch (schema.type) {
    case 'object': {
      const members = Object.entries(schema.properties ?? {}).map(([name, inner]) => {
        const value = likely(inner);
        const isNeeded = schema.required?.includes(name);
        return [name, isNeeded ? value : fc.option(value, { nil: undefined })] as const;
      });
      return fc.record(Object.fromEntries(members));
    }
    case 'array':
      return fc.array(likely(schema.items ?? {}), { maxLength: 2 });
    case 'integer':
      return fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer());
    case 'number':
      return fc.oneof(fc.nat(100), fc.double());
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'string':
      return fc.oneof(fc.uuid(), fc.string(), fc.constant('2026-11-21'), fc.constant('1.5'));
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

test('the description is whole, and no body that is made from it makes an operation fail', async () => {
  const fresh = await freshDatabase('pglite');
  const admin = await openAdmin(fresh.database);
  try {
    const { status, body: document } = await admin.ask('GET', '/openapi.json', undefined, null);
    expect(status).toBe(200);
    expect(document.openapi).toBe('3.1.0');
    const page = await admin.raw('/docs');
    expect(page.status).toBe(200);
    expect(await page.text()).not.toMatch(/<script|https?:\/\//);
    const operations = Object.entries(
      document.paths as Record<string, Record<string, Operation>>,
    ).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    );
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(
      operations.length,
    );
    expect(operations.length).toBeGreaterThan(50);
    const id = '00000000-0000-4000-8000-000000000001';
    const taken = new Set<string>();
    for (const { path, method, operation } of operations) {
      const at = path.replace('{id}', id).replace('{key}', '4');
      const schema = operation.requestBody?.content['application/json'].schema;
      const bodies = schema
        ? [
            ...fc.sample(likely(schema), { numRuns: 6, seed: 6 }),
            ...fc.sample(fc.jsonValue({ maxDepth: 2 }), { numRuns: 2, seed: 6 }),
          ]
        : [method === 'post' ? {} : undefined];
      for (const body of bodies) {
        const answer = await admin.ask(method.toUpperCase(), at, body);
        const what = `${method} ${at} ${JSON.stringify(body)} -> ${JSON.stringify(answer.body)}`;
        expect(answer.status, what).toBeLessThan(500);
        if (answer.status < 300 && method !== 'get') taken.add(operation.operationId);
        if (answer.status >= 400) expect(answer.body.error.code, what).toBeTruthy();
      }
    }
    expect([...taken]).toEqual(
      expect.arrayContaining(['patch_tiers_one', 'post_agents', 'post_persons', 'post_stop']),
    );
  } finally {
    await admin.close();
    await fresh.drop();
  }
});
