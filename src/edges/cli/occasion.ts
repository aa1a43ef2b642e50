// `purser occasion`: what persons may spend on occasions, what they have, and a spend by hand.

import { OperatorError } from '../../core/errors.js';
import { randomBase62 } from '../../core/id.js';
import type { JsonObject } from '../../core/json.js';
import { type AdminDoor, withAdmin } from './admin-door.js';
import { type Command, define, flagsOf, print, REMOTE, rowsText } from './command.js';

const KEY_LENGTH = 22;
const PATH = '/admin/v1/person-occasions';

const list: Command = (deps) =>
  define({
    meta: { name: 'list', description: 'List budgets of persons on occasions' },
    args: {
      ...REMOTE,
      person: { type: 'string', valueHint: 'name', description: 'Only of this person' },
      occasion: { type: 'string', valueHint: 'name', description: 'Only on this occasion' },
      over: { type: 'boolean', description: 'Only those that have spent too much' },
    },
    run: ({ args }) =>
      withAdmin(deps, flagsOf(args), async (door) => {
        const { person, occasion } = flagsOf(args);
        const all = await door.list(PATH, args.over === true ? { over: 'true' } : {});
        const rows = all.filter((row) => isOf(row, person, occasion));
        print(deps, args, { data: rows }, () =>
          rowsText(
            rows,
            [
              { title: 'PERSON', cell: (row) => row.person },
              { title: 'OCCASION', cell: (row) => row.occasion },
              { title: 'BUDGET', right: true, cell: (row) => row.budget_amount },
              { title: 'SPENT', right: true, cell: (row) => row.budget_spent },
              { title: 'LEFT', right: true, cell: (row) => row.budget_remaining },
              { title: 'CURRENCY', cell: (row) => row.budget_currency },
              { title: 'OVER', cell: (row) => row.is_over },
              { title: 'ID', cell: (row) => row.id },
            ],
            'There is no such budget.',
          ),
        );
      }),
  });

function isOf(row: JsonObject, person?: string, occasion?: string): boolean {
  return (
    (person === undefined || row.person === person || row.person_id === person) &&
    (occasion === undefined || row.occasion === occasion || row.occasion_id === occasion)
  );
}

const spend: Command = (deps) =>
  define({
    meta: { name: 'spend', description: 'Book a spend that is no call' },
    args: {
      person: { type: 'positional', required: true, description: 'Name or id of the person' },
      occasion: { type: 'positional', required: true, description: 'Name or id of the occasion' },
      amount: { type: 'positional', required: true, description: 'In the currency of the budget' },
      ...REMOTE,
      reason: {
        type: 'string',
        required: true,
        valueHint: 'text',
        description: 'Kept in the audit log and in the row',
      },
      once: {
        type: 'string',
        valueHint: 'key',
        description: 'Of a try that failed: what it may have booked is not booked twice',
      },
    },
    run: ({ args }) =>
      withAdmin(deps, flagsOf(args), async (door) => {
        const { amount, reason, once = randomBase62(KEY_LENGTH) } = args;
        const { id } = await findPair(door, args.person, args.occasion);
        const row = await door.sendOnce(`${PATH}/${String(id)}/spend`, { amount, reason }, once);
        print(
          deps,
          args,
          row,
          () => `Booked ${amount} ${String(row.budget_currency)} for ${args.person}.`,
        );
      }),
  });

async function findPair(door: AdminDoor, person: string, occasion: string): Promise<JsonObject> {
  const rows = (await door.list(PATH)).filter((row) => isOf(row, person, occasion));
  const [first, second] = rows;
  if (first && !second) return first;
  const what = first ? `${rows.length} budgets` : 'no budget';
  throw new OperatorError(
    `there is ${what} of ${person} on ${occasion}`,
    'Give the ids of `purser occasion list --json`.',
  );
}

export const occasionCommand: Command = (deps) =>
  define({
    meta: { name: 'occasion', description: 'What persons may spend on occasions' },
    subCommands: { list: list(deps), spend: spend(deps) },
  });
