// `purser price update`: another catalog from the next start on, and what that changes.

import { OperatorError } from '../../core/errors.js';
import type { Catalog } from '../../rules/catalog/catalog.js';
import { type Command, define, flagsOf, LOCAL, print, rowsText } from './command.js';
import { countText } from './table.js';

interface Changed {
  change: 'new' | 'changed' | 'gone';
  model: string;
  from: string;
}

const SHOWN_MAX = 40;

export const priceUpdate: Command = (deps) =>
  define({
    meta: { name: 'update', description: 'Take another catalog from the next start on' },
    args: {
      file: {
        type: 'positional',
        required: false,
        description: 'Of the form of config/prices.json',
      },
      shipped: { type: 'boolean', description: 'Back to the catalog of this version' },
      'dry-run': { type: 'boolean', description: 'Only show what would change' },
      ...LOCAL,
    },
    run: ({ args }) => {
      const path = typeof args.file === 'string' && args.file !== '' ? args.file : null;
      if ((path === null) !== (args.shipped === true)) {
        throw new OperatorError(
          'price update wants one catalog',
          'Give a file, or --shipped for the one that came with this version.',
        );
      }
      const write = args['dry-run'] !== true;
      const { before, after, file } = deps.changeCatalog(flagsOf(args), path, write);
      const changes = changesOf(before, after);
      print(deps, args, { file, written: write, data: changes }, () => {
        const table = rowsText(
          changes.slice(0, SHOWN_MAX),
          [
            { title: 'WHAT', cell: ({ change }) => change },
            { title: 'MODEL', cell: ({ model }) => model },
            { title: 'FROM', cell: ({ from }) => from },
          ],
          'No price changes.',
        );
        const [all, differ] = [after.list(), changes].map(({ length }) => countText(length));
        const more = changes.length > SHOWN_MAX ? ' (--json shows them all)' : '';
        const count = `${all} prices, ${differ} differ${more}.`;
        const next = write
          ? ` In force from the next start on (${file}).`
          : ' Nothing was written.';
        return `${table}\n${count}${next}`;
      });
    },
  });

function changesOf(before: Catalog, after: Catalog): Changed[] {
  const [old, now] = [versionsOf(before), versionsOf(after)];
  const changes: Changed[] = [];
  for (const [key, version] of now) {
    const had = old.get(key);
    if (had === undefined) changes.push(changed('new', key));
    else if (had !== version) changes.push(changed('changed', key));
  }
  for (const key of old.keys()) if (!now.has(key)) changes.push(changed('gone', key));
  return changes.sort((left, right) => (left.model < right.model ? -1 : 1));
}

function versionsOf(catalog: Catalog): Map<string, string> {
  return new Map(
    catalog.list().map(({ price, fromMs }) => {
      const from = Number.isFinite(fromMs) ? new Date(fromMs).toISOString().slice(0, 10) : 'ever';
      return [`${price.provider}/${price.model} ${from}`, price.version];
    }),
  );
}

function changed(change: Changed['change'], key: string): Changed {
  const [model = '', from = ''] = key.split(' ');
  return { change, model, from };
}
