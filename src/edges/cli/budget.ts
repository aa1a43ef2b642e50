// `purser budget`: the tokens that each agent may use in all.

import { OperatorError } from '../../core/errors.js';
import type { JsonObject } from '../../core/json.js';
import { withAdmin } from './admin-door.js';
import { type Command, define, flagsOf, print, REMOTE, rowsText } from './command.js';
import { findAgent } from './holders.js';
import { countText } from './table.js';

const PATH = '/admin/v1/budgets';

const list: Command = (deps) =>
  define({
    meta: { name: 'list', description: 'List what agents may use, in tokens' },
    args: REMOTE,
    run: ({ args }) =>
      withAdmin(deps, flagsOf(args), async (door) => {
        const rows = await door.list(PATH);
        const count = (title: string, member: string) => ({
          title,
          right: true,
          cell: (row: JsonObject) => countText(Number(row[member])),
        });
        print(deps, args, { data: rows }, () =>
          rowsText(
            rows,
            [
              { title: 'AGENT', cell: (row) => row.agent },
              count('ALLOCATED', 'allocated_tokens'),
              count('USED', 'used_tokens'),
              count('RESERVED', 'reserved_tokens'),
              count('LEFT', 'remaining_tokens'),
              count('OVERRUN', 'overrun_tokens'),
            ],
            'No agent has an allocation. `purser budget allocate coder-1 +500000` makes one.',
          ),
        );
      }),
  });

const allocate: Command = (deps) =>
  define({
    meta: { name: 'allocate', description: 'Give an agent more tokens, or say how many' },
    args: {
      agent: { type: 'positional', required: true, description: 'coder-1, or demo/coder-1' },
      tokens: {
        type: 'positional',
        required: true,
        description: '+500000 is so many more; =500000 is so many in all',
      },
      ...REMOTE,
    },
    run: ({ args }) =>
      withAdmin(deps, flagsOf(args), async (door) => {
        const match = /^([+=])(\d{1,16})$/.exec(args.tokens);
        if (!match) {
          const remedy = 'Write +500000 for more, =500000 for so many in all.';
          throw new OperatorError(`${args.tokens} says not how many`, remedy);
        }
        const { id } = await findAgent(door, args.agent);
        const member = match[1] === '+' ? 'more_tokens' : 'tokens';
        const body = { agent_id: id ?? null, [member]: Number(match[2]) };
        const row = await door.send('POST', `${PATH}/allocate`, body);
        print(deps, args, row, () => standing(args.agent, row));
      }),
  });

const move: Command = (deps) =>
  define({
    meta: { name: 'move', description: 'Move unused tokens from one agent to another' },
    args: {
      from: { type: 'positional', required: true, description: 'Agent that gives' },
      to: { type: 'positional', required: true, description: 'Agent that gets' },
      tokens: { type: 'positional', required: true, description: 'How many' },
      ...REMOTE,
    },
    run: ({ args }) =>
      withAdmin(deps, flagsOf(args), async (door) => {
        if (!/^\d{1,16}$/.test(args.tokens)) {
          throw new OperatorError(`${args.tokens} is no count`, 'Give a whole number.');
        }
        const [from, to] = [await findAgent(door, args.from), await findAgent(door, args.to)];
        const moved = await door.send('POST', `${PATH}/move`, {
          from_agent_id: from.id ?? null,
          to_agent_id: to.id ?? null,
          tokens: Number(args.tokens),
        });
        print(deps, args, moved, () =>
          [
            standing(args.from, moved.from as JsonObject),
            standing(args.to, moved.to as JsonObject),
          ].join('\n'),
        );
      }),
  });

function standing(agent: string, row: JsonObject): string {
  const [left, all] = [Number(row.remaining_tokens), Number(row.allocated_tokens)];
  return `${agent}: ${countText(left)} of ${countText(all)} tokens left`;
}

export const budgetCommand: Command = (deps) =>
  define({
    meta: { name: 'budget', description: 'Tokens that agents may use in all' },
    subCommands: { list: list(deps), allocate: allocate(deps), move: move(deps) },
  });
