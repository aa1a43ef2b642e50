// The built-in provider: a deterministic model behind a real HTTP hop on loopback, so that a
// newcomer sees streams, budgets and refusals without an account, and tests see every way an
// upstream can fail. Models `echo` (says what it was told) and `lorem`; knobs in the prompt:
// `[[tokens=200]] [[delay_ms=20]] [[first_ms=500]] [[stall_ms=5000]] [[fail=429]] [[die_after=10]]
// [[tool]] [[no_usage]] [[no_done]]`.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32 } from 'node:zlib';
import type { CallBody } from '../../core/call.js';
import type { Clock } from '../../core/clock.js';
import { ERROR_CODES, isRefused, type Problem } from '../../core/errors.js';
import { readChatCall } from '../../rules/dialects/chat-call.js';
import { problemJson } from '../../rules/dialects/problem-json.js';
import { answerTo, MODELS, type SandboxModel, wholeAnswer } from './answer.js';
import { Pace } from './pace.js';
import { readPrompt, type Script } from './script.js';
import { streamAnswer } from './stream.js';

export interface Sandbox {
  port: number;
  /** What a provider's `base_url` is set to. */
  baseUrl: string;
  close(): Promise<void>;
}

const BODY_BYTES_MAX = 64 << 20;

export async function openSandbox({ clock }: { clock: Clock }): Promise<Sandbox> {
  const server = createServer((request, response) => {
    serve(clock, request, response).catch(() => response.destroy());
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 60_000;
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: 0, host: '127.0.0.1', exclusive: true }, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    baseUrl: `http://127.0.0.1:${port}/v1`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serve(clock: Clock, request: IncomingMessage, response: ServerResponse) {
  const path = (request.url ?? '').replace(/^\/v1/, '').replace(/\?.*$/, '');
  if (request.method === 'GET' && path === '/models') return json(response, 200, modelList());
  if (request.method !== 'POST' || path !== '/chat/completions') {
    return tell(response, { code: 'not_found', message: `The sandbox has no ${path}.` });
  }
  const raw = await readBody(request);
  const body = readChatCall(raw);
  if (isRefused(body)) return tell(response, body.refused);
  const model = MODELS.find((name) => name === body.model);
  if (!model) {
    const message = `The sandbox has no model ${body.model}; it has ${MODELS.join(' and ')}.`;
    return tell(response, { code: 'model_not_found', message, param: 'model' });
  }
  return answer(clock, body, model, response);
}

async function answer(clock: Clock, body: CallBody, model: SandboxModel, response: ServerResponse) {
  const prompt = readPrompt(body);
  const { script } = prompt;
  const pace = new Pace(clock, response);
  await pace.wait(script.firstMs);
  if (script.fail !== undefined) return fail(response, script.fail);
  const id = `sandbox-${crc32(body.raw).toString(16).padStart(8, '0')}`;
  const createdAtS = Math.floor(clock.nowMs() / 1000);
  const made = answerTo(body, prompt, { id, model, createdAtS });
  if (body.stream) {
    const tellUsage = body.wantsUsage && !script.noUsage;
    return streamAnswer(made, script, tellUsage, pace, response);
  }
  await pace.wait(script.stallMs + script.delayMs * made.words.length);
  if (dies(script, made.words.length)) return response.destroy();
  return json(response, 200, JSON.stringify(wholeAnswer(made, !script.noUsage)));
}

function dies({ dieAfter }: Script, words: number): boolean {
  return dieAfter !== undefined && dieAfter <= words;
}

function fail(response: ServerResponse, status: number) {
  const message = `The sandbox was asked to fail with ${status}.`;
  const error = { message, type: status === 429 ? 'rate_limit_error' : 'sandbox_error' };
  if (status === 429) response.setHeader('retry-after', '1');
  json(response, status, JSON.stringify({ error: { ...error, param: null, code: null } }));
}

function tell(response: ServerResponse, problem: Problem) {
  json(response, ERROR_CODES[problem.code].status, problemJson('chat', problem, 'sandbox'));
}

function json(response: ServerResponse, status: number, text: string) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(text);
}

function modelList(): string {
  const entries = MODELS.map((id) => ({ id, object: 'model', created: 0, owned_by: 'sandbox' }));
  return JSON.stringify({ object: 'list', data: entries });
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) throw new Error('the body is too large for the sandbox');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
