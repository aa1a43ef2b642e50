// `purser usage`: what was spent, summed by the gateway by whatever is named, as a table with bars,
// JSON or CSV; or call by call. Sums are exact: they pass as text.

import { csvText } from '../../core/csv.js';
import { OperatorError } from '../../core/errors.js';
import type { Json, JsonObject } from '../../core/json.js';
import { type AdminDoor, withAdmin, withQuery } from './admin-door.js';
import {
  type Args,
  type Command,
  define,
  flagsOf,
  type ListColumn,
  minuteText,
  print,
  REMOTE,
  rowsText,
} from './command.js';
import type { CliDeps, CliFlags } from './deps.js';
import { agentNames, findAgent, findProject } from './holders.js';
import { barText, countText } from './table.js';

const CALLS_MAX = 10_000;
const FILTERS = {
  agent: 'Of this agent: a name, project/name or id',
  'agent-type': 'Of agents of this type',
  project: 'Of this project',
  user: 'Of this user',
  provider: 'Of this provider',
  model: 'Of this model',
  kind: 'base, late, adjust or reconciled',
  conversation: 'Of this conversation',
  task: 'Of this task',
  issue: 'Of this issue',
  'pull-request': 'Of this pull request',
  person: 'Of this person',
  occasion: 'Of this occasion',
  'end-user': 'Of this end user',
  key: 'Of this API key',
} as const;

const filters = Object.fromEntries(
  Object.entries(FILTERS).map(([name, description]) => [
    name,
    { type: 'string', valueHint: 'name', description } as const,
  ]),
);

export const usageCommand: Command = (deps) =>
  define({
    meta: { name: 'usage', description: 'What was spent' },
    args: {
      ...REMOTE,
      by: {
        type: 'string',
        valueHint: 'agent,model,day',
        default: 'provider,model',
        description: 'What is summed: any filter below, tag:<key>, hour, day, week, month',
      },
      since: {
        type: 'string',
        valueHint: '24h|7d|date',
        default: '24h',
        description: 'From when on',
      },
      until: { type: 'string', valueHint: '2h|date', description: 'Up to when' },
      zone: {
        type: 'string',
        valueHint: 'Europe/Berlin',
        default: 'UTC',
        description: 'Whose days',
      },
      csv: { type: 'boolean', description: 'Print CSV instead of a table' },
      calls: { type: 'boolean', description: 'Call by call, the newest first' },
      tag: { type: 'string', valueHint: 'key=value', description: 'With these tags' },
      ...filters,
    },
    run: ({ args }) =>
      withAdmin(deps, flagsOf(args), (door) =>
        args.calls === true ? calls(deps, args, door) : report(deps, args, door),
      ),
  });

async function report(deps: CliDeps, args: Args, door: AdminDoor): Promise<void> {
  const flags = flagsOf(args);
  const nowMs = deps.clock.nowMs();
  const asked = Object.keys(FILTERS).map((name) => [name.replace('-', '_'), flags[name]]);
  const answer = await door.get(
    withQuery('/admin/v1/usage', {
      group_by: flags.by?.replaceAll('-', '_'),
      since: momentText('since', flags.since, nowMs),
      until: momentText('until', flags.until, nowMs),
      zone: flags.zone,
      tag: flags.tag,
      ...Object.fromEntries(asked),
    }),
  );
  const data = (answer.data ?? []) as JsonObject[];
  if (args.csv === true) {
    deps.out.write(csvText((answer.columns ?? []) as string[], data));
    return;
  }
  print(deps, args, answer, () => reportText(data, answer));
}

function reportText(data: readonly JsonObject[], answer: JsonObject): string {
  const groups = (answer.group_by ?? []) as string[];
  const total = (answer.total ?? {}) as JsonObject;
  const usd = (row: JsonObject) => Number(row.cost_usd);
  const most = Math.max(0, ...data.map(usd));
  const sum = (title: string, name: string): ListColumn<JsonObject> => ({
    ...{ title, right: true },
    cell: (row) => countText(row[name] as number),
  });
  const table = rowsText(
    data,
    [
      ...groups.map((name) => ({
        title: name.replaceAll('_', ' ').toUpperCase(),
        cell: (row: JsonObject) => row[name],
      })),
      sum('CALLS', 'calls'),
      sum('TOKENS IN', 'tokens_in'),
      sum('TOKENS OUT', 'tokens_out'),
      { title: 'USD', right: true, cell: (row) => usdText(row.cost_usd) },
      { title: '', cell: (row) => barText(most > 0 ? usd(row) / most : 0) },
    ],
    'Nothing was spent in this time.',
  );
  const saved = Number(total.tokens_saved) > 0 ? [savedText(total)] : [];
  if (data.length < 2) return [table, ...saved].join('\n');
  const note = answer.complete === false ? ` Only ${countText(data.length)} groups are shown.` : '';
  const all = `${countText(total.calls as number)} calls, ${usdText(total.cost_usd)} USD in all.`;
  return [table, `${all}${note}`, ...saved].join('\n');
}

function savedText(total: JsonObject): string {
  const tokens = countText(total.tokens_saved as number);
  return `Fitting prompts saved ${tokens} tokens, ${usdText(total.saved_usd)} USD.`;
}

async function calls(deps: CliDeps, args: Args, door: AdminDoor): Promise<void> {
  const flags = flagsOf(args);
  const nowMs = deps.clock.nowMs();
  const id = (row: JsonObject | undefined) => row && String(row.id);
  const query = {
    from: instantText('since', flags.since, nowMs),
    to: instantText('until', flags.until, nowMs),
    agent_id: flags.agent ? id(await findAgent(door, flags.agent)) : undefined,
    project_id: flags.project ? id(await findProject(door, flags.project)) : undefined,
  };
  const rows = await door.list('/admin/v1/usage/rows', query, CALLS_MAX);
  const agents = await agentNames(door);
  const holder = (row: JsonObject) => agents.get(row.agent_id) ?? '(none)';
  print(deps, args, { data: rows }, () => callsText(rows, holder));
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
      { title: 'USD', right: true, cell: (row) => usdText(row.cost_usd) },
      { title: 'HOW COUNTED', cell: (row) => row.usage_source },
      { title: 'ENDED', cell: (row) => row.outcome },
    ],
    'There were no calls in this time.',
  );
}

/** At least six places, and no zeros after that. */
function usdText(value: Json | undefined): string {
  return String(value ?? '0.000000').replace(/(\.\d{6}\d*?)0+$/, '$1');
}

/** A day stays one: the gateway knows when it begins in the zone. */
function momentText(flag: string, text: string | undefined, nowMs: number): string | undefined {
  return text !== undefined && /^\d{4}-\d\d-\d\d$/.test(text)
    ? text
    : instantText(flag, text, nowMs);
}

function instantText(
  flag: keyof CliFlags,
  text: string | undefined,
  nowMs: number,
): string | undefined {
  if (text === undefined) return undefined;
  const match = /^(\d{1,4})([mhd])$/.exec(text);
  const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 };
  const atMs = match
    ? nowMs - Number(match[1]) * unitMs[match[2] as keyof typeof unitMs]
    : Date.parse(text);
  if (Number.isNaN(atMs)) {
    throw new OperatorError(`--${flag} ${text} is no time`, 'Write 30m, 24h, 7d or 2026-11-01.');
  }
  return new Date(atMs).toISOString();
}
