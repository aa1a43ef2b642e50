// What the commands share: flags that every one has, and printing either for people or as JSON.

import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import type { Json } from '../../core/json.js';
import type { CliDeps, CliFlags } from './deps.js';
import { type Cell, type Column, tableText } from './table.js';

export type Command = (deps: CliDeps) => CommandDef;

/** A command whose own flags are checked where it is written, and forgotten where it is kept. */
export function define<const T extends ArgsDef>(definition: CommandDef<T>): CommandDef {
  return defineCommand(definition) as unknown as CommandDef;
}

/** Flags of commands that need no gateway. */
export const LOCAL = {
  json: { type: 'boolean', description: 'Print JSON instead of text' },
  config: { type: 'string', valueHint: 'file', description: 'Configuration to read' },
} as const satisfies ArgsDef;

/** Flags of commands that speak to one. */
export const REMOTE = {
  ...LOCAL,
  url: { type: 'string', valueHint: 'url', description: 'Gateway to speak to' },
} as const satisfies ArgsDef;

export type Args = Readonly<Record<string, unknown>>;

/** The flags that were given as text, by name. */
export function flagsOf(args: Args): CliFlags {
  const flags: Record<string, string> = {};
  for (const [name, value] of Object.entries(args)) {
    if (typeof value === 'string' && value !== '') flags[name] = value;
  }
  return flags;
}

/** JSON if it was asked for, else the lines. */
export function print(deps: CliDeps, args: Args, json: unknown, text: () => string): void {
  const shown = args.json === true ? JSON.stringify(json, null, 2) : text();
  if (shown !== '') deps.out.write(`${shown}\n`);
}

export interface ListColumn<Row> extends Column {
  cell(row: Row): Cell | Json;
}

export function rowsText<Row>(
  rows: readonly Row[],
  columns: readonly ListColumn<Row>[],
  none: string,
): string {
  if (rows.length === 0) return none;
  const cells = rows.map((row) => columns.map(({ cell }) => plain(cell(row))));
  return tableText(columns, cells);
}

function plain(value: Cell | Json): Cell {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : value;
}

/** `2026-11-21 09:41` of an RFC 3339 time. */
export function minuteText(time: Json | undefined): string | null {
  return typeof time === 'string' ? time.slice(0, 16).replace('T', ' ') : null;
}
