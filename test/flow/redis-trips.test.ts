// What a call waits for on Redis, seen on the wire: one round trip before its request goes out and
// one before its end; all else travels while the provider thinks or writes.

import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { loadScripts } from '#src/drivers/scripts.js';
import { commandReader } from '../faults/commands.js';
import { openProxy, type WireProxy } from '../faults/proxy.js';
import { type FreshDatabase, freshPostgres } from '../support/databases.js';
import { type Fleet, openFleet } from '../support/fleet.js';
import { type Server, startRedis } from '../support/programs.js';
import { openScriptedUpstream, type ScriptedUpstream } from '../support/scripted-upstream.js';
import { PROMPT, streamKind } from '../trials/calls.js';
import { homeOptions } from '../trials/home.js';

/** More than 80 % of the first tranche of 256, and less than all of it. */
const LONG_WORDS = 250;
const BEYOND_ASK = 235;
const KINDS = [streamKind('short', 3, {}), streamKind('long', LONG_WORDS, { paceMs: 6 })] as const;
const OF_CALLS = new Set(['reserve', 'extend', 'beat', 'finalize', 'release']);
const WAIT = { timeout: 6_000, interval: 5 };

let server: Server;
let fresh: FreshDatabase;
let upstream: ScriptedUpstream;
let proxy: WireProxy;
let fleet: Fleet;
/** Verbs of calls, as Redis answered them. */
let answered: string[] = [];
/** Replies from this verb on are kept back until the promise resolves. */
let kept: { from: string; until: Promise<void> } | undefined;

beforeAll(async () => {
  server = await startRedis(join(inject('runFolder'), 'redis-trips'));
  fresh = await freshPostgres();
  upstream = await openScriptedUpstream();
  for (const { model, plan } of KINDS) upstream.forModel(model, plan);
  const read = commandReader(loadScripts());
  proxy = await openProxy({
    ...{ gateway: 0, redisPort: server.port, strikes: () => false, overtaken: async () => {} },
    told({ command, reply }) {
      const script = read(command)?.script ?? '';
      // Not that Redis has to be told the script first.
      const isError = typeof reply === 'object' && !Array.isArray(reply);
      if (OF_CALLS.has(script) && !isError) answered.push(script);
    },
    async delivered(command) {
      // What it has not answered yet it only asks for the text of.
      if (!kept || !answered.includes(kept.from)) return;
      if (read(command)?.script === kept.from) await kept.until;
    },
  });
  const { config } = homeOptions(upstream, KINDS);
  const ledger = { command_timeout_ms: 30_000, lease_ms: 60_000, beat_ms: 15_000, reap_ms: 30_000 };
  fleet = await openFleet({
    ...{ count: 1, redisUrl: proxy.url, databaseUrl: fresh.url! },
    config: { ...config, ledger },
  });
}, 120_000);

beforeEach(() => {
  answered = [];
  kept = undefined;
});

afterAll(async () => {
  await fleet?.remove();
  await proxy?.end();
  await upstream?.close();
  await fresh?.drop();
  await server?.kill();
});

/** The text of a streamed answer as it grows. */
function stream(model: string): { text(): string; ended: Promise<void> } {
  let text = '';
  const body = JSON.stringify({
    ...{ model: `openai/${model}`, stream: true },
    messages: [{ role: 'user', content: PROMPT }],
  });
  const ended = new Promise<void>((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${fleet.key}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    };
    const call = request(
      `${fleet.gateways[0]!.url}/v1/chat/completions`,
      { method: 'POST', agent: false, headers },
      (response) => {
        response.on('data', (bytes) => {
          text += bytes;
        });
        response.on('end', resolve);
      },
    );
    call.on('error', reject);
    call.end(body);
  });
  return { text: () => text, ended };
}

const words = (text: string): number => text.split('" hello"').length - 1;

test('a call waits for Redis twice: to be admitted, and to be booked', async () => {
  upstream.forModel('gpt-4o-short', { ...KINDS[0].plan, hold: true });
  upstream.holdAgain();
  const before = upstream.requests.length;
  const call = stream('gpt-4o-short');
  await upstream.received(before + 1);
  expect(answered[0]).toBe('reserve');
  // The provider has written nothing yet: `sent` travels while it thinks.
  await expect.poll(() => answered, WAIT).toEqual(['reserve', 'beat']);
  expect(call.text()).toBe('');
  upstream.release();
  await call.ended;
  expect(call.text()).toContain('data: [DONE]');
  expect(answered).toEqual(['reserve', 'beat', 'finalize']);
});

test('a stream that asks for more hold goes on meanwhile, up to the end of what it has', async () => {
  const call = stream('gpt-4o-long');
  await expect.poll(() => words(call.text()), WAIT).toBeGreaterThan(0);
  let release = (): void => {};
  kept = { from: 'extend', until: new Promise((resolve) => (release = resolve)) };
  await expect.poll(() => answered, WAIT).toContain('extend');
  const atAsk = words(call.text());
  expect(atAsk).toBeLessThan(BEYOND_ASK);
  // No reply has come, and none of this waits for it.
  await expect.poll(() => words(call.text()), WAIT).toBeGreaterThan(BEYOND_ASK);
  release();
  await call.ended;
  expect(words(call.text())).toBe(LONG_WORDS);
});

test('its end waits until it is booked', async () => {
  let release = (): void => {};
  kept = { from: 'finalize', until: new Promise((resolve) => (release = resolve)) };
  const call = stream('gpt-4o-short');
  await expect.poll(() => answered, WAIT).toContain('finalize');
  expect(call.text()).not.toContain('data: [DONE]');
  release();
  await call.ended;
  expect(call.text()).toContain('data: [DONE]');
});
