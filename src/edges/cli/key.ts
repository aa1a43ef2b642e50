// `purser key`: keys of agents and operators. A key itself is shown once, when it is made.

import { OperatorError } from '../../core/errors.js';
import type { JsonObject } from '../../core/json.js';
import { type AdminDoor, withAdmin } from './admin-door.js';
import { type Command, define, flagsOf, minuteText, print, REMOTE, rowsText } from './command.js';
import { agentNames, findAgent } from './holders.js';
import { styled } from './table.js';

const PATH = '/admin/v1/keys';

const list: Command = (deps) =>
  define({
    meta: { name: 'list', description: 'List keys, without their secrets' },
    args: REMOTE,
    run: ({ args }) =>
      withAdmin(deps, flagsOf(args), async (door) => {
        const rows = await door.list(PATH);
        const agents = await agentNames(door);
        const nowMs = deps.clock.nowMs();
        print(deps, args, { data: rows }, () =>
          rowsText(
            rows,
            [
              { title: 'KEY', cell: (row) => row.prefix },
              { title: 'NAME', cell: (row) => row.name },
              { title: 'HOLDER', cell: (row) => agents.get(row.agent_id) ?? row.role },
              { title: 'STATE', cell: (row) => keyState(row, nowMs) },
              { title: 'EXPIRES', cell: (row) => minuteText(row.expires_at) },
              { title: 'LAST USED', cell: (row) => minuteText(row.last_used_at) },
              { title: 'ID', cell: (row) => row.id },
            ],
            'There are no keys. `purser key create --agent NAME` makes one.',
          ),
        );
      }),
  });

function keyState(row: JsonObject, nowMs: number): string {
  const passed = (time: unknown) => typeof time === 'string' && Date.parse(time) <= nowMs;
  if (row.revoked_at !== null) return 'revoked';
  if (row.disabled_at !== null) return 'disabled';
  if (passed(row.expires_at)) return 'expired';
  if (passed(row.grace_until)) return 'rotated out';
  return typeof row.grace_until === 'string' ? 'in grace' : 'active';
}

const create: Command = (deps) =>
  define({
    meta: { name: 'create', description: 'Make a key for an agent or an operator' },
    args: {
      ...REMOTE,
      agent: { type: 'string', valueHint: 'name', description: 'Agent that the key is for' },
      role: {
        type: 'string',
        valueHint: 'owner|finance|operator',
        description: 'Operator that the key is for, instead of an agent',
      },
      name: { type: 'string', valueHint: 'text', description: 'What the key is called' },
      models: {
        type: 'string',
        valueHint: 'a,b*',
        description: 'Models that it may call; without it all',
      },
      'expires-at': { type: 'string', valueHint: 'time', description: 'As 2027-01-31T00:00:00Z' },
    },
    run: async ({ args }) => {
      const flags = flagsOf(args);
      const { agent, role } = flags;
      if ((agent === undefined) === (role === undefined)) {
        throw new OperatorError('a key is for one holder', 'Give either --agent or --role.');
      }
      await withAdmin(deps, flags, async (door) => {
        const body: JsonObject = { name: flags.name ?? agent ?? `${role}` };
        if (agent !== undefined) {
          body.kind = 'agent';
          body.agent_id = (await findAgent(door, agent)).id ?? null;
        } else {
          body.kind = 'admin';
          body.role = role ?? null;
        }
        if (flags.models !== undefined) body.allowed_models = flags.models.split(',');
        if (flags['expires-at'] !== undefined) body.expires_at = flags['expires-at'];
        const made = await door.send('POST', PATH, body);
        print(deps, args, made, () => madeText(made, deps.out.isTTY));
      });
    },
  });

function madeText(made: JsonObject, colour: boolean): string {
  const key = styled('bold', String(made.key), colour);
  return `${key}\nThis is the only time that the key is shown.`;
}

/** By id, public id, shown prefix or name, as long as only one key fits. */
async function findKey(door: AdminDoor, text: string): Promise<JsonObject> {
  const rows = await door.list(PATH);
  const fits = (row: JsonObject) =>
    ['id', 'public_id', 'prefix', 'name'].some((column) => row[column] === text);
  const found = rows.filter((row) => fits(row) && row.revoked_at === null);
  if (found.length === 1) return found[0]!;
  const count = found.length === 0 ? 'no key that works' : `${found.length} keys`;
  throw new OperatorError(`there is ${count} called ${text}`, 'Give the id of `purser key list`.');
}

const which = {
  type: 'positional',
  required: true,
  description: 'Id, prefix or name of the key',
} as const;

const rotate: Command = (deps) =>
  define({
    meta: { name: 'rotate', description: 'Make a new key; the old one works for another 24 h' },
    args: { key: which, ...REMOTE },
    run: ({ args }) =>
      withAdmin(deps, flagsOf(args), async (door) => {
        const { id } = await findKey(door, args.key);
        const made = await door.send('POST', `${PATH}/${String(id)}/rotate`);
        print(deps, args, made, () => madeText(made, deps.out.isTTY));
      }),
  });

const revoke: Command = (deps) =>
  define({
    meta: { name: 'revoke', description: 'End a key for ever, at once' },
    args: { key: which, ...REMOTE },
    run: ({ args }) =>
      withAdmin(deps, flagsOf(args), async (door) => {
        const { id, name } = await findKey(door, args.key);
        const row = await door.send('POST', `${PATH}/${String(id)}/revoke`);
        print(deps, args, row, () => `Revoked ${String(name)}.`);
      }),
  });

export const keyCommand: Command = (deps) =>
  define({
    meta: { name: 'key', description: 'Keys of agents and operators' },
    subCommands: {
      create: create(deps),
      list: list(deps),
      rotate: rotate(deps),
      revoke: revoke(deps),
    },
  });
