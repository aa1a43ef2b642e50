// Scenario: one small call that does not stream, through the whole flow (key, tokens, reserve in
// four envelopes, forward, meter, finalize, durable event), beside a bare node:http + undici proxy.
// Both sit on core 0 in turn; the upstream and the load share core 1. Ratios, not absolutes.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuUs, median, type Program, runProgram, startProgram } from './support/processes.js';

const HERE = import.meta.dirname;

export interface Round {
  variant: string;
  perSecond: number;
  p50Us: number;
  p99Us: number;
  cpuUsPerCall: number;
  failures: number;
}

export interface SmallCallResult {
  rounds: Round[];
  /** Calls per second of the gateway over those of the bare proxy, medians. */
  ratio: number;
}

/** What the smallest machine must reach; a run with `--check` fails below it. */
export const SMALL_CALL_FLOOR = 0.2;

interface Side {
  variant: string;
  port: number;
  path: string;
  key: string;
  program: Program;
}

export async function smallCall(
  options: { seconds: number; rounds: number },
  told: (text: string) => void,
): Promise<SmallCallResult> {
  const directory = mkdtempSync(join(tmpdir(), 'purser-bench-'));
  const programs: Program[] = [];
  try {
    const upstream = await startProgram(['node', join(HERE, 'support/upstream.mjs')], {
      core: 1,
      until: /^\d+$/,
    });
    programs.push(upstream);
    const sides = [
      await startBare(Number(upstream.line)),
      await startGateway(directory, Number(upstream.line)),
    ];
    programs.push(...sides.map((side) => side.program));
    for (const side of sides) await measure(side, Math.min(2, options.seconds));
    const rounds: Round[] = [];
    for (let round = 0; round < options.rounds; round += 1) {
      const order = round % 2 === 0 ? sides : [...sides].reverse();
      for (const side of order) {
        told(`small call, round ${round + 1} of ${options.rounds}: ${side.variant}`);
        rounds.push(await measure(side, options.seconds));
      }
    }
    const of = (variant: string) =>
      median(rounds.filter((round) => round.variant === variant).map((round) => round.perSecond));
    return { rounds, ratio: of('purser') / of('bare proxy') };
  } finally {
    for (const program of programs.reverse()) await program.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measure(side: Side, seconds: number): Promise<Round> {
  const body = JSON.stringify({
    model: 'bench/echo',
    max_tokens: 256,
    messages: [
      { role: 'system', content: 'You are a bench. '.repeat(10) },
      { role: 'user', content: 'Say something of a certain length, please. '.repeat(14) },
    ],
  });
  const { port, path, key } = side;
  const wanted = JSON.stringify({ port, path, key, body, connections: 64, seconds });
  const pid = side.program.child.pid as number;
  const before = cpuUs(pid);
  const printed = await runProgram(['node', join(HERE, 'support/load.mjs'), wanted], 1);
  const load = JSON.parse(printed) as Omit<Round, 'variant' | 'cpuUsPerCall'> & {
    requests: number;
  };
  const cpuUsPerCall = (cpuUs(pid) - before) / Math.max(1, load.requests);
  return { variant: side.variant, cpuUsPerCall, ...load };
}

async function startBare(upstreamPort: number): Promise<Side> {
  const program = await startProgram(
    ['node', join(HERE, 'support/bare-proxy.mjs'), String(upstreamPort)],
    { core: 0, until: /^\d+$/ },
  );
  return { variant: 'bare proxy', port: Number(program.line), path: '/', key: 'none', program };
}

async function startGateway(directory: string, upstreamPort: number): Promise<Side> {
  const config = join(directory, 'gateway.yaml');
  writeFileSync(
    config,
    [
      'listen: { host: 127.0.0.1, port: 0 }',
      'log: { level: warn }',
      'providers:',
      '  sandbox: false',
      `  bench: { dialect: openai, base_url: "http://127.0.0.1:${upstreamPort}/v1", allow_private: true }`,
      'prices:',
      '  bench/echo: { input: 0.15, output: 0.6 }',
      'projects: [{ name: bench }]',
      'agents: [{ name: coder-1, type: coder, project: bench }]',
      'limits:',
      '  - { scope: global, amount_usd: 1000000, period: monthly }',
      '  - { scope: agent, agent: coder-1, amount_usd: 1000000, period: daily }',
      '  - { scope: agent_type, agent_type: coder, amount_tokens: 900000000000, period: daily }',
      '  - { scope: project, project: bench, amount_requests: 900000000000, period: minutely }',
      '',
    ].join('\n'),
  );
  const program = await startProgram(
    [
      'node',
      ...(process.env.PROF ? ['--cpu-prof', '--cpu-prof-dir=/tmp/prof'] : []),
      join(HERE, '../dist/main.js'),
      'start',
    ],
    {
      core: 0,
      until: /^Next:/,
      cwd: directory,
      env: { PURSER_CONFIG: config, PURSER_DATA_DIR: join(directory, 'data'), PORT: '0' },
    },
  );
  const key = /sk-purser-\w{12}-\w{38}/.exec(program.printed)?.[0] ?? '';
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(program.printed)?.[1] ?? 0);
  return { variant: 'purser', port, path: '/v1/chat/completions', key, program };
}

/** Shows the figures; false where calls failed or, if `check`, the ratio is below its floor. */
export function showSmallCall(result: SmallCallResult, check: boolean): boolean {
  const rows = result.rounds.map((round) => ({
    variant: round.variant,
    'calls/s': Math.round(round.perSecond),
    'p50 µs': round.p50Us,
    'p99 µs': round.p99Us,
    'CPU µs/call': Math.round(round.cpuUsPerCall),
    failures: round.failures,
  }));
  console.table(rows);
  process.stdout.write(`small call: purser / bare proxy = ${result.ratio.toFixed(3)}\n`);
  const failed = result.rounds.some((round) => round.failures > 0);
  if (failed) process.stdout.write('some calls failed\n');
  const isBelow = check && result.ratio < SMALL_CALL_FLOOR;
  if (isBelow) process.stdout.write(`small call: below the floor of ${SMALL_CALL_FLOOR}\n`);
  return !failed && !isBelow;
}
