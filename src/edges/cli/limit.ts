// `purser limit`: what may be spent. `set` changes the limit of that scope, unit and period if
// there is one, else it makes one; where nothing is said, a limit blocks.

import { OperatorError } from '../../core/errors.js';
import type { Json, JsonObject } from '../../core/json.js';
import { type AdminDoor, withAdmin } from './admin-door.js';
import { type Command, define, flagsOf, print, REMOTE, rowsText } from './command.js';
import type { CliFlags } from './deps.js';
import { findAgent, findProject } from './holders.js';
import { countText } from './table.js';

const PATH = '/admin/v1/limits';
const AMOUNTS = ['usd', 'tokens', 'requests', 'concurrency'] as const;

const list: Command = (deps) =>
  define({
    meta: { name: 'list', description: 'List limits' },
    args: { ...REMOTE, all: { type: 'boolean', description: 'Inactive ones too' } },
    run: ({ args }) =>
      withAdmin(deps, flagsOf(args), async (door) => {
        const found = await door.list(PATH);
        const rows = found.filter((row) => args.all === true || row.is_active !== false);
        print(deps, args, { data: rows }, () =>
          rowsText(
            rows,
            [
              { title: 'LIMIT', cell: (row) => row.name },
              { title: 'AMOUNT', right: true, cell: amountText },
              { title: 'PERIOD', cell: (row) => row.period },
              { title: 'WHEN EXCEEDED', cell: (row) => row.action_on_exceed },
              { title: 'FROM', cell: (row) => row.origin },
              { title: 'ACTIVE', cell: (row) => row.is_active },
              { title: 'ID', cell: (row) => row.id },
            ],
            'There are no limits: everything may be spent. `purser limit set --help` tells more.',
          ),
        );
      }),
  });

function amountText(row: JsonObject): string {
  if (row.amount_usd !== null && row.amount_usd !== undefined) {
    return `${String(row.amount_usd)} USD`;
  }
  const unit = AMOUNTS.find((one) => typeof row[`amount_${one}`] === 'number');
  return unit === undefined ? '-' : `${countText(Number(row[`amount_${unit}`]))} ${unit}`;
}

const set: Command = (deps) =>
  define({
    meta: { name: 'set', description: 'Change a limit, or make it' },
    args: {
      ...REMOTE,
      scope: {
        type: 'string',
        required: true,
        valueHint: 'scope',
        description: 'global, project, agent, agent_type, person, tag, model ...',
      },
      value: {
        type: 'string',
        valueHint: 'name',
        description: 'Which one: coder-1, demo/coder-1; * is each on its own',
      },
      usd: { type: 'string', valueHint: 'decimal', description: 'Amount in USD' },
      tokens: { type: 'string', valueHint: 'count', description: 'Amount in tokens' },
      requests: { type: 'string', valueHint: 'count', description: 'Amount in requests' },
      concurrency: { type: 'string', valueHint: 'count', description: 'Calls at once' },
      period: { type: 'string', valueHint: 'period', description: 'minutely to monthly, or ever' },
      warn: { type: 'boolean', description: 'Only tell, do not refuse' },
    },
    run: ({ args }) =>
      withAdmin(deps, flagsOf(args), async (door) => {
        const row = await setLimit(door, flagsOf(args), args.warn === true);
        print(
          deps,
          args,
          row,
          () =>
            `${String(row.name)}: ${amountText(row)}, ${String(row.action_on_exceed)}` +
            ` when exceeded (${String(row.id)})`,
        );
      }),
  });

async function setLimit(door: AdminDoor, flags: CliFlags, warn: boolean): Promise<JsonObject> {
  const [unit, amount] = amountOf(flags);
  const period = flags.period ?? (unit === 'concurrency' ? 'ever' : undefined);
  if (period === undefined) {
    throw new OperatorError('a limit has a period', 'Give --period, such as daily or monthly.');
  }
  const scope = await scopeOf(door, flags);
  const member = `amount_${unit}`;
  const terms: JsonObject = { [member]: amount, action_on_exceed: warn ? 'warn' : 'block' };
  const same = (row: JsonObject): boolean =>
    row.is_active === true &&
    row.period === period &&
    row[member] !== null &&
    Object.entries(scope).every(([key, value]) => row[key] === value);
  const known = (await door.list(PATH)).find(same);
  if (known !== undefined) return door.send('PATCH', `${PATH}/${String(known.id)}`, terms);
  return door.send('POST', PATH, { ...scope, period, ...terms });
}

function amountOf(flags: CliFlags): [(typeof AMOUNTS)[number], Json] {
  const given = AMOUNTS.filter((unit) => flags[unit] !== undefined);
  const [unit] = given;
  if (unit === undefined || given.length > 1) {
    const remedy = 'Give one of --usd, --tokens, --requests, --concurrency.';
    throw new OperatorError(`a limit has one amount, not ${given.length}`, remedy);
  }
  const text = flags[unit] ?? '';
  if (unit === 'usd') return [unit, text];
  if (/^\d{1,16}$/.test(text)) return [unit, Number(text)];
  throw new OperatorError(`--${unit} ${text} is no count`, 'Give a whole number, 0 or more.');
}

async function scopeOf(door: AdminDoor, flags: CliFlags): Promise<JsonObject> {
  const { scope = '', value } = flags;
  const none = { scope_type: scope, scope_id: null, scope_agent_type: null, scope_key: null };
  if (scope === 'global') return none;
  if (value === undefined) {
    throw new OperatorError(`the scope ${scope} has a value`, 'Give it with --value.');
  }
  if (scope === 'agent') return { ...none, scope_id: (await findAgent(door, value)).id ?? null };
  if (scope === 'project') {
    return { ...none, scope_id: (await findProject(door, value)).id ?? null };
  }
  return scope === 'agent_type'
    ? { ...none, scope_agent_type: value }
    : { ...none, scope_key: value };
}

export const limitCommand: Command = (deps) =>
  define({
    meta: { name: 'limit', description: 'What may be spent' },
    subCommands: { list: list(deps), set: set(deps) },
  });
