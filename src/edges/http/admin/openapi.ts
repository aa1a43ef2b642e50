// The admin API described as OpenAPI 3.1, from the table of its routes and the very schemas that
// check what comes in; and a page of it for people, made here, without a script or another server.

import { z } from 'zod';
import type { Json, JsonObject } from '../../../core/json.js';
import type { Door, Method } from '../app.js';
import { answerJson, answerText } from '../exchange.js';
import type { AdminRoute } from './doors.js';

export function describeDoors(routes: readonly AdminRoute[]): (readonly [Method, string, Door])[] {
  const document = openApiDocument(routes);
  const page = docsPage(document);
  return [
    ['GET', '/openapi.json', (exchange) => answerJson(exchange, 200, document)],
    [
      'GET',
      '/docs',
      (exchange) =>
        answerText(exchange, 200, page, {
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
        }),
    ],
  ];
}

interface Operation extends JsonObject {
  operationId: string;
  summary: string;
  tags: string[];
}
type Paths = Record<string, Record<string, Operation>>;

export function openApiDocument(routes: readonly AdminRoute[]) {
  const paths: Paths = {};
  for (const route of routes) {
    const path = `/admin/v1/${route.path.replace(/:(\w+)/g, '{$1}')}`;
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Purser admin API',
      version: '1',
      description: 'Operators: keys, limits, budgets and what was spent. Money is decimal text.',
    },
    security: [{ key: [] }],
    paths,
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
      schemas: { Error: ERROR },
    },
  };
}

const ERROR: JsonObject = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['message', 'type', 'code'],
      properties: {
        message: { type: 'string' },
        type: { type: 'string' },
        param: { type: ['string', 'null'] },
        code: { type: 'string' },
        metadata: { type: 'object' },
      },
    },
  },
};

function operationOf(route: AdminRoute): Operation {
  const { method, path, kind, body, query } = route;
  const words = path.replace(/:(id|key)/g, 'one').split(/[/-]/);
  const operationId = [method.toLowerCase(), ...words].join('_');
  const [tag = ''] = path.split('/');
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: name === 'id' ? { type: 'string', format: 'uuid' } : { type: 'string' },
  }));
  const isPost = method === 'POST' && kind === 'write';
  const parameters = [...inPath, ...queryParameters(query), ...(isPost ? [IDEMPOTENCY_KEY] : [])];
  return {
    operationId,
    summary: `${VERBS[method]} ${words.join(' ')}`,
    description: kind === 'read' ? 'Every role of operators.' : 'Owners and operators.',
    tags: [tag],
    'x-purser-kind': kind,
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: jsonSchema(body) } },
      },
    }),
    responses: {
      [route.status]: { description: 'Done.', content: contentOf(route) },
      default: {
        description: 'Refused, with the reason.',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
}

const IDEMPOTENCY_KEY: JsonObject = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'Asked again within a day with the same key, it answers the same and does nothing.',
  schema: { type: 'string', minLength: 1, maxLength: 255 },
};

function contentOf({ answer, csv }: AdminRoute): JsonObject {
  const json = { 'application/json': { schema: jsonSchema(answer, 'output') } };
  return csv ? { ...json, 'text/csv': { schema: { type: 'string' } } } : json;
}

const VERBS: Record<Method, string> = {
  GET: 'Read',
  POST: 'Make or do:',
  PATCH: 'Change',
  DELETE: 'Remove',
};

function queryParameters(query: z.ZodType | undefined): JsonObject[] {
  if (!query) return [];
  const { properties = {}, required = [] } = jsonSchema(query) as {
    properties?: Record<string, JsonObject>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
  }));
}

/** What is checked beyond a JSON schema (a time zone, a sum) is left to the door. */
function jsonSchema(schema: z.ZodType, io: 'input' | 'output' = 'input'): JsonObject {
  const options = { io, unrepresentable: 'any' } as const;
  const { $schema: _dialect, $defs: _any, ...json } = z.toJSONSchema(schema, options);
  return withoutReferences(json) as JsonObject;
}

// The only schema that refers to itself is that of any JSON: in a larger document its reference
// would point to nowhere, and it says nothing.
function withoutReferences(json: unknown): Json {
  if (Array.isArray(json)) return json.map(withoutReferences);
  if (typeof json !== 'object' || json === null) return json as Json;
  if ('$ref' in json) return {};
  const members = Object.entries(json).map(([name, value]) => [name, withoutReferences(value)]);
  return Object.fromEntries(members) as JsonObject;
}

function docsPage({ info, paths }: { info: { title: string; description: string }; paths: Paths }) {
  const parts = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(
      ([method, operation]) =>
        `<details><summary><code>${method.toUpperCase()} ${htmlText(path)}</code> ` +
        `${htmlText(operation.summary)}</summary>` +
        `<pre>${htmlText(JSON.stringify(operation, null, 2))}</pre></details>`,
    ),
  );
  return (
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>${htmlText(info.title)}</title>` +
    '<style>body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}' +
    'pre{background:#f4f4f4;padding:1rem;overflow:auto}summary{cursor:pointer}</style>' +
    `<h1>${htmlText(info.title)}</h1><p>${htmlText(info.description)} ` +
    `The same for programs: <a href="/openapi.json">openapi.json</a>.</p>${parts.join('')}</html>\n`
  );
}

function htmlText(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}
