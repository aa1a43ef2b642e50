// The admin API described as OpenAPI 3.1, from the table of its routes and the very schemas that
// check what comes in; and a page of it for people, made here, without a script or another server.

import { z } from 'zod';
import type { JsonObject } from '../../../core/json.js';
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

function operationOf({ method, path, kind, body, query }: AdminRoute): Operation {
  const words = path.replace(/:(id|key)/g, 'one').split(/[/-]/);
  const operationId = [method.toLowerCase(), ...words].join('_');
  const [tag = ''] = path.split('/');
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: name === 'id' ? { type: 'string', format: 'uuid' } : { type: 'string' },
  }));
  const parameters = [...inPath, ...queryParameters(query)];
  return {
    operationId,
    summary: `${VERBS[method]} ${words.join(' ')}`,
    description: kind === 'read' ? 'Every role of operators.' : 'Owners and operators.',
    tags: [tag],
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: jsonSchema(body) } },
      },
    }),
    responses: {
      '2XX': {
        description: 'Done.',
        content: { 'application/json': { schema: { type: 'object' } } },
      },
      default: {
        description: 'Refused, with the reason.',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
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
function jsonSchema(schema: z.ZodType): JsonObject {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
  });
  return json as JsonObject;
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
