// `purser usage`: what was spent, summed by model, agent or day, or call by call. Sums are exact.

import { OperatorError } from '../../core/errors.js';
import type { JsonObject } from '../../core/json.js';
import { add, formatUsd, parseUsd } from '../../core/money.js';
import { withAdmin } from './admin-door.js';
import { type Command, define, flagsOf, minuteText, print, REMOTE, rowsText } from './command.js';
import type { CliFlags } from './deps.js';
import { agentNames, findAgent, findProject } from './holders.js';
import { barText, countText } from './table.js';

const ROWS_MAX = 10_000;

export const usageCommand: Command = (deps) =>
  define({
    meta: { name: 'usage', description: 'What was spent' },
    args: {
      ...REMOTE,
      since: {
        type: 'string',
        valueHint: '24h|7d|date',
        default: '24h',
        description: 'From when on',
      },
      agent: { type: 'string', valueHint: 'name', description: 'Of this agent' },
      project: { type: 'string', valueHint: 'name', description: 'Of this project' },
      by: {
        type: 'enum',
        options: ['model', 'agent', 'day'],
        default: 'model',
        description: 'What is summed',
      },
      calls: { type: 'boolean', description: 'Call by call, the newest first' },
    },
    run: ({ args }) =>
      withAdmin(deps, flagsOf(args), async (door) => {
        const flags = flagsOf(args);
        const id = (row: JsonObject | undefined) => row && String(row.id);
        const query = {
          from: sinceText(flags, deps.clock.nowMs()),
          agent_id: flags.agent ? id(await findAgent(door, flags.agent)) : undefined,
          project_id: flags.project ? id(await findProject(door, flags.project)) : undefined,
        };
        const rows = await door.list('/admin/v1/usage', query, ROWS_MAX);
        const agents = await agentNames(door);
        const holder = (row: JsonObject) => agents.get(row.agent_id) ?? '(none)';
        if (args.calls === true) {
          print(deps, args, { data: rows }, () => callsText(rows, holder));
          return;
        }
        const sums = summed(rows, (row) => groupOf(row, flags.by, holder));
        const whole = rows.length < ROWS_MAX;
        const shown = sums.map(({ nanoUsd, ...sum }) => ({ ...sum, cost_usd: formatUsd(nanoUsd) }));
        print(deps, args, { data: shown, complete: whole }, () => {
          const note = whole ? '' : `\nOnly the newest ${countText(ROWS_MAX)} rows are in this.`;
          return `${sumsText(sums)}${note}`;
        });
      }),
  });

function sinceText(flags: CliFlags, nowMs: number): string {
  const text = flags.since ?? '24h';
  const match = /^(\d{1,4})([mhd])$/.exec(text);
  const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 };
  const atMs = match
    ? nowMs - Number(match[1]) * unitMs[match[2] as keyof typeof unitMs]
    : Date.parse(text);
  if (Number.isNaN(atMs)) {
    throw new OperatorError(`--since ${text} is no time`, 'Write 30m, 24h, 7d or 2026-11-01.');
  }
  return new Date(atMs).toISOString();
}

function groupOf(
  row: JsonObject,
  by: string | undefined,
  holder: (row: JsonObject) => string,
): string {
  if (by === 'agent') return holder(row);
  if (by === 'day') return String(row.timestamp).slice(0, 10);
  return `${String(row.provider)}/${String(row.model)}`;
}

interface Sum {
  group: string;
  calls: number;
  tokens_in: number;
  tokens_out: number;
  nanoUsd: number;
}

function summed(rows: readonly JsonObject[], groupFor: (row: JsonObject) => string): Sum[] {
  const sums = new Map<string, Sum>();
  for (const row of rows) {
    const group = groupFor(row);
    const sum = sums.get(group) ?? { group, calls: 0, tokens_in: 0, tokens_out: 0, nanoUsd: 0 };
    sum.calls += row.kind === 'base' ? 1 : 0;
    sum.tokens_in += Number(row.tokens_in ?? 0);
    sum.tokens_out += Number(row.tokens_out ?? 0);
    sum.nanoUsd = add(sum.nanoUsd, signedUsd(row.cost_usd));
    sums.set(group, sum);
  }
  return [...sums.values()].sort((left, right) => right.nanoUsd - left.nanoUsd);
}

/** Corrections may be negative. */
function signedUsd(value: unknown): number {
  const text = String(value ?? '0');
  const nano = parseUsd(text.replace(/^-/, ''));
  if (nano === undefined) throw new OperatorError(`a cost of ${text}`, 'Report this as a bug.');
  return text.startsWith('-') ? -nano : nano;
}

function sumsText(sums: readonly Sum[]): string {
  const most = Math.max(1, ...sums.map((sum) => sum.nanoUsd));
  return rowsText(
    sums,
    [
      { title: 'WHAT', cell: (sum) => sum.group },
      { title: 'CALLS', right: true, cell: (sum) => countText(sum.calls) },
      { title: 'TOKENS IN', right: true, cell: (sum) => countText(sum.tokens_in) },
      { title: 'TOKENS OUT', right: true, cell: (sum) => countText(sum.tokens_out) },
      { title: 'USD', right: true, cell: (sum) => formatUsd(sum.nanoUsd) },
      { title: '', cell: (sum) => barText(sum.nanoUsd / most) },
    ],
    'Nothing was spent in this time.',
  );
}

function callsText(rows: readonly JsonObject[], holder: (row: JsonObject) => string): string {
  return rowsText(
    rows,
    [
      { title: 'TIME (UTC)', cell: (row) => minuteText(row.timestamp) },
      { title: 'AGENT', cell: holder },
      { title: 'MODEL', cell: (row) => `${String(row.provider)}/${String(row.model)}` },
      { title: 'IN', right: true, cell: (row) => countText(Number(row.tokens_in)) },
      { title: 'OUT', right: true, cell: (row) => countText(Number(row.tokens_out)) },
      { title: 'USD', right: true, cell: (row) => formatUsd(signedUsd(row.cost_usd)) },
      { title: 'HOW COUNTED', cell: (row) => row.usage_source },
      { title: 'ENDED', cell: (row) => row.outcome },
    ],
    'There were no calls in this time.',
  );
}
