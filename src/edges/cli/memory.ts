// `purser memory`: what agents have noted, as their prompts get it.

import { OperatorError } from '../../core/errors.js';
import { type Json, type JsonObject, parseJson } from '../../core/json.js';
import { withAdmin } from './admin-door.js';
import { type Command, define, flagsOf, minuteText, print, REMOTE, rowsText } from './command.js';
import { findAgent } from './holders.js';

const PATH = '/admin/v1/agent-memory';
const SHOWN_UNITS = 60;

const agent = {
  type: 'positional',
  required: true,
  description: 'coder-1, or demo/coder-1',
} as const;

const list: Command = (deps) =>
  define({
    meta: { name: 'list', description: 'List what an agent has noted' },
    args: { agent, ...REMOTE },
    run: ({ args }) =>
      withAdmin(deps, flagsOf(args), async (door) => {
        const { id } = await findAgent(door, args.agent);
        const rows = await door.list(PATH, { agent_id: String(id) });
        print(deps, args, { data: rows }, () =>
          rowsText(
            rows,
            [
              { title: 'NOTE', cell: (row) => `${String(row.category)}/${String(row.key)}` },
              { title: 'VALUE', cell: (row) => valueText(row.value).slice(0, SHOWN_UNITS) },
              { title: 'IMPORTANCE', right: true, cell: (row) => row.importance },
              { title: 'EXPIRES', cell: (row) => minuteText(row.expires_at) },
              { title: 'ID', cell: (row) => row.id },
            ],
            'It has noted nothing.',
          ),
        );
      }),
  });

function valueText(value: Json | undefined): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? null);
  return text.replaceAll(/\s+/g, ' ');
}

const add: Command = (deps) =>
  define({
    meta: { name: 'add', description: 'Note something for an agent' },
    args: {
      agent,
      note: { type: 'positional', required: true, description: 'category/key' },
      value: { type: 'positional', required: true, description: 'Text, or JSON with --as-json' },
      ...REMOTE,
      'as-json': { type: 'boolean', description: 'Read the value as JSON' },
      importance: { type: 'string', valueHint: '1..10', description: 'How soon it is told' },
      'expires-at': { type: 'string', valueHint: 'time', description: 'As 2027-01-31T00:00:00Z' },
    },
    run: ({ args }) =>
      withAdmin(deps, flagsOf(args), async (door) => {
        const [, category, key] = /^([^/]+)\/(.+)$/.exec(args.note) ?? [];
        if (category === undefined || key === undefined) {
          throw new OperatorError(`${args.note} is no note`, 'Write category/key.');
        }
        const value = args['as-json'] === true ? parseJson(args.value) : args.value;
        if (value === undefined) throw new OperatorError('the value is no JSON', 'See --as-json.');
        const { id } = await findAgent(door, args.agent);
        const body: JsonObject = { agent_id: id ?? null, category, key, value };
        const { importance, 'expires-at': expires } = flagsOf(args);
        if (importance !== undefined) body.importance = Number(importance);
        if (expires !== undefined) body.expires_at = expires;
        const row = await door.send('POST', PATH, body);
        print(deps, args, row, () => `Noted ${args.note} (${String(row.id)}).`);
      }),
  });

const remove: Command = (deps) =>
  define({
    meta: { name: 'remove', description: 'Take a note away' },
    args: {
      id: { type: 'positional', required: true, description: 'Id of `purser memory list`' },
      ...REMOTE,
    },
    run: ({ args }) =>
      withAdmin(deps, flagsOf(args), async (door) => {
        const row = await door.send('DELETE', `${PATH}/${encodeURIComponent(args.id)}`);
        print(deps, args, row, () => `Removed ${String(row.category)}/${String(row.key)}.`);
      }),
  });

export const memoryCommand: Command = (deps) =>
  define({
    meta: { name: 'memory', description: 'What agents have noted' },
    subCommands: { list: list(deps), add: add(deps), remove: remove(deps) },
  });
