// Where k calls fit and a thousand come at once, over four gateways, k are admitted: in every round
// another k, and an envelope that nobody has seen before. The upstream answers only when all have
// been admitted or refused, and then with usage that is exactly what was held.

import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '#src/drivers/database.js';
import { type Fleet, openFleet } from '../support/fleet.js';
import { startRedis } from '../support/programs.js';
import { openScriptedUpstream, type ScriptedUpstream } from '../support/scripted-upstream.js';
import { type Seeded, seeded } from '../support/seeded.js';
import { nanoUsd, PROMPT, wholeKind } from './calls.js';
import { homeOptions } from './home.js';
import { openOwnDatabase } from './own-database.js';
import type { TrialOptions, TrialResult } from './trial.js';

const CALLS = 1_000;
const GATEWAYS = 4;
const WORDS_MAX = 400;
/** What every round's envelope has: enough for some calls of many words, or many of few. */
const LIMIT_NANO_USD = 10_000_000;
const KNOWN_WITHIN_MS = 5_000;
const DECIDED_WITHIN_MS = 30_000;
const DRAINED_WITHIN_MS = 30_000;

export interface ExactKOptions extends TrialOptions {
  redisUrl: string;
  databaseUrl: string;
  database: Database;
}

/** The trial, with a Redis and a PostgreSQL of its own. */
export async function runExactK(options: TrialOptions): Promise<TrialResult> {
  const folder = await mkdtemp(join(tmpdir(), 'purser-exact-k-'));
  const redis = await startRedis(join(folder, 'redis'));
  const own = await openOwnDatabase();
  try {
    const at = { redisUrl: redis.url, databaseUrl: own.url!, database: own.database };
    return await exactK({ ...options, ...at });
  } finally {
    await own.drop();
    await redis.kill();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Run {
  fleet: Fleet;
  upstream: ScriptedUpstream;
  agent: Agent;
  random: Seeded;
  violations: string[];
  admitted: number;
  tookMs: number[];
}

export async function exactK(options: ExactKOptions): Promise<TrialResult> {
  const upstream = await openScriptedUpstream();
  const { config } = homeOptions(upstream, [wholeKind('exact', 1, 0)]);
  // A busy machine must not make the ledger unavailable: nobody is refused but for want of room.
  const ledger = { command_timeout_ms: 10_000, lease_ms: 60_000, beat_ms: 5_000, reap_ms: 1_000 };
  const fleet = await openFleet({
    ...{ count: GATEWAYS, redisUrl: options.redisUrl, databaseUrl: options.databaseUrl },
    config: { ...config, ledger },
  });
  const agent = new Agent({ keepAlive: true, maxSockets: CALLS });
  const run: Run = {
    ...{ fleet, upstream, agent, random: seeded(options.seed) },
    ...{ violations: [], admitted: 0, tookMs: [] },
  };
  try {
    await makeLimit(run);
    for (let round = 1; round <= options.count; round += 1) {
      const startedMs = performance.now();
      await oneRound(run, round);
      run.tookMs.push(performance.now() - startedMs);
      options.onProgress?.(round);
    }
    await fleet.stop();
    await checkRows(run, options.database);
    return { figures: figuresOf(run, options.count), violations: run.violations };
  } finally {
    run.agent.destroy();
    await fleet.remove();
    await upstream.close();
  }
}

// One limit for every task, and a task a round; known to all once each refuses beyond it.
async function makeLimit(run: Run): Promise<void> {
  const { fleet, upstream } = run;
  upstream.forModel('gpt-4o-exact', wholeKind('exact', 1, 0).plan);
  await fleet.admin('POST', '/limits', {
    ...{ scope_type: 'task', scope_key: '*', period: 'ever' },
    amount_usd: `0.0${LIMIT_NANO_USD}`,
  });
  const untilMs = performance.now() + KNOWN_WITHIN_MS;
  const tooMuch = Math.ceil(LIMIT_NANO_USD / 4_000) + 1;
  for (const { url } of fleet.gateways) {
    for (;;) {
      const { status, code } = await ask(run, url, 'known', tooMuch);
      if (code === 'request_exceeds_budget') break;
      if (status === 200) run.admitted += 1;
      if (performance.now() > untilMs) throw new Error('the limit never came into force');
      await sleep(50);
    }
  }
}

async function oneRound(run: Run, round: number): Promise<void> {
  const { upstream, fleet, random, violations } = run;
  const words = 1 + random.below(WORDS_MAX);
  const k = Math.min(CALLS, Math.floor(LIMIT_NANO_USD / nanoUsd(words)));
  upstream.forModel('gpt-4o-exact', { ...wholeKind('exact', words, 0).plan, hold: true });
  upstream.holdAgain();
  const task = `round-${round}`;
  const before = upstream.requests.length;
  let refused = 0;
  let decided = (): void => {};
  const allDecided = new Promise<void>((resolve) => {
    decided = resolve;
  });
  const look = (): void => {
    if (upstream.requests.length - before + refused >= CALLS) decided();
  };
  const calls = Array.from({ length: CALLS }, async (_, i) => {
    const { url } = fleet.gateways[i % GATEWAYS]!;
    const answer = await ask(run, url, task, words);
    if (answer.status !== 200) refused += 1;
    look();
    return answer;
  });
  // Whoever is not refused is at the upstream, which answers nobody yet.
  void upstream.received(before + k).then(look);
  const inTime = await Promise.race([
    allDecided.then(() => true),
    sleep(DECIDED_WITHIN_MS, false, { ref: false }),
  ]);
  if (!inTime) {
    const held = upstream.requests.length - before;
    violations.push(`round ${round}, k ${k}: only ${held} held and ${refused} refused in time`);
  }
  upstream.release();
  const answers = await Promise.all(calls);
  const say = (isWrong: boolean, what: string): void => {
    if (isWrong) violations.push(`round ${round}, k ${k}: ${what}`);
  };
  const admitted = answers.filter(({ status }) => status === 200).length;
  const received = upstream.requests.length - before;
  say(admitted !== k, `${admitted} were admitted`);
  say(received !== k, `the upstream received ${received}`);
  const others = answers.filter(
    ({ status, code }) => status !== 200 && `${status} ${code}` !== '402 budget_in_flight',
  );
  say(others.length > 0, `${others.length} were told ${others[0]?.status} ${others[0]?.code}`);
  if (k < CALLS) {
    const after = await ask(run, fleet.gateways[round % GATEWAYS]!.url, task, words);
    say(after.code !== 'budget_exceeded', `afterwards ${after.status} ${after.code}`);
  }
  run.admitted += admitted;
  // A gateway closes what is idle, and a call on it then would be lost without a fault of anybody's.
  run.agent.destroy();
  run.agent = new Agent({ keepAlive: true, maxSockets: CALLS });
}

interface Answer {
  status: number | undefined;
  code: string | undefined;
}

function ask({ fleet, agent }: Run, url: string, task: string, words: number): Promise<Answer> {
  const body = JSON.stringify({
    model: 'openai/gpt-4o-exact',
    max_tokens: words,
    messages: [{ role: 'user', content: PROMPT }],
  });
  const headers = {
    authorization: `Bearer ${fleet.key}`,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-purser-task-id': task,
  };
  return new Promise((resolve) => {
    const options = { method: 'POST', agent, headers };
    const call = request(`${url}/v1/chat/completions`, options, (response) => {
      let text = '';
      response.on('data', (bytes) => {
        text += bytes;
      });
      response.on('end', () => {
        resolve({ status: response.statusCode, code: /"code":"(\w+)"/.exec(text)?.[1] });
      });
    });
    call.on('error', (error: NodeJS.ErrnoException) => {
      resolve({ status: undefined, code: error.code });
    });
    call.end(body);
  });
}

// Each round's rows come to what its envelope had, as far as whole calls go, and no further.
async function checkRows({ admitted, violations }: Run, database: Database): Promise<void> {
  const untilMs = performance.now() + DRAINED_WITHIN_MS;
  const count = async (): Promise<number> => {
    const [row] = await database.query<{ n: number }>('select count(*)::int as n from token_usage');
    return row!.n;
  };
  while ((await count()) < admitted && performance.now() < untilMs) await sleep(50);
  const rows = await count();
  if (rows !== admitted) violations.push(`${admitted} were admitted, and there are ${rows} rows`);
  const over = await database.query<{ label: string }>(
    `select envelope_id as label from envelope_totals
     where envelope_id like 'limit:%:round-%' and (committed > $1 or overrun > 0)`,
    [LIMIT_NANO_USD],
  );
  if (over.length > 0) violations.push(`${over.length} envelopes are over their limit`);
}

function figuresOf({ admitted, tookMs }: Run, rounds: number): TrialResult['figures'] {
  const sorted = [...tookMs].sort((a, b) => a - b);
  return [
    ['gateways', GATEWAYS],
    ['rounds, each with an envelope of its own', rounds],
    ['calls', rounds * CALLS],
    ['admitted, in every round exactly as many as there was room for', admitted],
    [
      'milliseconds a round, the middle one',
      Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0),
    ],
  ];
}
