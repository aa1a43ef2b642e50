// `purser reservation`: what is held now, and the way to let go of a hold by force. The call that
// held it is booked when it ends, late.

import type { JsonObject } from '../../core/json.js';
import { withAdmin } from './admin-door.js';
import { type Command, define, flagsOf, minuteText, print, REMOTE, rowsText } from './command.js';
import { countText } from './table.js';

const PATH = '/admin/v1/reservations';

const list: Command = (deps) =>
  define({
    meta: { name: 'list', description: 'List open reservations, the oldest lease first' },
    args: REMOTE,
    run: ({ args }) =>
      withAdmin(deps, flagsOf(args), async (door) => {
        const rows = await door.list(PATH);
        print(deps, args, { data: rows }, () =>
          rowsText(
            rows,
            [
              { title: 'RESERVATION', cell: (row) => row.id },
              { title: 'PHASE', cell: (row) => row.phase },
              { title: 'SEEN USD', right: true, cell: (row) => row.seen_usd },
              {
                title: 'SEEN TOKENS',
                right: true,
                cell: (row) => countText(Number(row.seen_tokens)),
              },
              { title: 'ENVELOPES', right: true, cell: (row) => lines(row).length },
              { title: 'LEASE ENDS', cell: (row) => minuteText(row.lease_ends_at) },
            ],
            'Nothing is held.',
          ),
        );
      }),
  });

function lines(row: JsonObject): readonly unknown[] {
  return Array.isArray(row.lines) ? row.lines : [];
}

const release: Command = (deps) =>
  define({
    meta: { name: 'release', description: 'Let go of a hold by force' },
    args: {
      id: { type: 'positional', required: true, description: 'Id of the reservation' },
      ...REMOTE,
      reason: {
        type: 'string',
        required: true,
        valueHint: 'text',
        description: 'Kept in the audit log',
      },
    },
    run: ({ args }) =>
      withAdmin(deps, flagsOf(args), async (door) => {
        const path = `${PATH}/${encodeURIComponent(args.id)}/release`;
        const row = await door.send('POST', path, { reason: args.reason });
        print(deps, args, row, () => `Released ${args.id}.`);
      }),
  });

export const reservationCommand: Command = (deps) =>
  define({
    meta: { name: 'reservation', description: 'What is held now' },
    subCommands: { list: list(deps), release: release(deps) },
  });
