// `purser migrate`: the database's schema, up and down, and what is there. Needs the database to
// itself where it is embedded, so no gateway may run on it.

import { OperatorError } from '../../core/errors.js';
import type { MigrationStep } from '../../drivers/migrate.js';
import { type Args, type Command, define, flagsOf, LOCAL, print, rowsText } from './command.js';
import type { CliDeps, Migrator } from './deps.js';

async function withMigrator<T>(
  deps: CliDeps,
  args: Args,
  work: (migrator: Migrator) => Promise<T>,
): Promise<T> {
  const tell = ({ phase, direction, position, count, name }: MigrationStep) => {
    if (phase === 'begin') deps.err.write(`${direction} ${position}/${count} ${name}\n`);
  };
  const migrator = await deps.openMigrator(flagsOf(args), tell);
  try {
    return await work(migrator);
  } finally {
    await migrator.close();
  }
}

function versionOf(text: unknown): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (typeof text === 'string' && /^\d{1,6}$/.test(text)) return Number(text);
  throw new OperatorError(`--to ${String(text)} is no version`, 'Give a number such as 3.');
}

const to = (description: string) =>
  ({ type: 'string', valueHint: 'version', description }) as const;

const up: Command = (deps) =>
  define({
    meta: { name: 'up', description: 'Apply what is pending' },
    args: { ...LOCAL, to: to('Up to and with this version') },
    run: async ({ args }) => {
      const version = versionOf(args.to);
      const applied = await withMigrator(deps, args, (migrator) => migrator.up(version));
      print(deps, args, { applied }, () =>
        applied.length === 0 ? 'Nothing is pending.' : `Applied ${applied.join(', ')}.`,
      );
    },
  });

const down: Command = (deps) =>
  define({
    meta: { name: 'down', description: 'Take migrations back, the newest first' },
    args: { ...LOCAL, to: { ...to('Down to this version, which stays; 0: all'), required: true } },
    run: async ({ args }) => {
      const version = versionOf(args.to) ?? 0;
      const reverted = await withMigrator(deps, args, (migrator) => migrator.down(version));
      print(deps, args, { reverted }, () =>
        reverted.length === 0 ? 'Nothing to take back.' : `Took back ${reverted.join(', ')}.`,
      );
    },
  });

const status: Command = (deps) =>
  define({
    meta: { name: 'status', description: 'List migrations and what has become of each' },
    args: LOCAL,
    run: async ({ args }) => {
      const states = await withMigrator(deps, args, (migrator) => migrator.states());
      print(deps, args, { data: states }, () =>
        rowsText(
          states,
          [
            { title: 'VERSION', right: true, cell: (state) => state.version },
            { title: 'NAME', cell: (state) => state.name },
            { title: 'STATE', cell: (state) => state.state },
            { title: 'APPLIED', cell: ({ appliedAt }) => appliedAt?.toISOString().slice(0, 19) },
          ],
          'There are no migrations.',
        ),
      );
    },
  });

const verify: Command = (deps) =>
  define({
    meta: { name: 'verify', description: 'Check that the schema is what the migrations make' },
    args: LOCAL,
    run: async ({ args }) => {
      const faults = await withMigrator(deps, args, (migrator) => migrator.verify());
      print(deps, args, { faults }, () => (faults.length > 0 ? faults.join('\n') : 'All is well.'));
      if (faults.length > 0) {
        const count = faults.length === 1 ? 'one fault' : `${faults.length} faults`;
        throw new OperatorError(`the schema has ${count}`, 'Run `purser migrate status`.');
      }
    },
  });

export const migrateCommand: Command = (deps) =>
  define({
    meta: { name: 'migrate', description: "The database's schema" },
    subCommands: { up: up(deps), down: down(deps), status: status(deps), verify: verify(deps) },
  });
