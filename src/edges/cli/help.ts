// What --help prints: what the command is for, how it is called, its commands or flags.

import type { ArgsDef, CommandDef, CommandMeta } from 'citty';

/** `path` is the command as it is called: `purser key create`. */
export function helpText(command: CommandDef, path: string, version: string): string {
  const commands = Object.entries((command.subCommands ?? {}) as Record<string, CommandDef>);
  const args = Object.entries((command.args ?? {}) as ArgsDef);
  const words = args.filter(([, arg]) => arg.type === 'positional');
  const flags = args.filter(([, arg]) => arg.type !== 'positional');
  const usage = [
    path,
    ...(commands.length > 0 ? ['COMMAND'] : []),
    ...words.map(([name, arg]) => bracketed(name.toUpperCase(), arg.required === true)),
    ...flags.filter(([, arg]) => arg.required).map(([name, arg]) => flagText(name, arg)),
    ...(flags.some(([, arg]) => !arg.required) ? ['[FLAGS]'] : []),
  ];
  const about = path === 'purser' ? ` (${version})` : '';
  const rows = [
    ...section(
      'Commands',
      commands.map(([name, inner]) => [name, aboutOf(inner)]),
    ),
    ...section(
      'Words',
      words.map(([name, arg]) => [name.toUpperCase(), arg.description ?? '']),
    ),
    ...section(
      'Flags',
      flags.map(([name, arg]) => [flagText(name, arg), flagAbout(arg)]),
    ),
  ];
  const more = commands.length > 0 ? ['', `\`${path} COMMAND --help\` tells more.`] : [];
  return [`${aboutOf(command)}${about}`, '', `Usage: ${usage.join(' ')}`, ...rows, ...more].join(
    '\n',
  );
}

function aboutOf(command: CommandDef): string {
  return (command.meta as CommandMeta | undefined)?.description ?? '';
}

function bracketed(name: string, required: boolean): string {
  return required ? name : `[${name}]`;
}

function flagText(name: string, arg: ArgsDef[string]): string {
  if (arg.type === 'boolean') return `--${name}`;
  const hint = arg.type === 'enum' ? arg.options?.join('|') : arg.valueHint;
  return `--${name} <${hint ?? 'text'}>`;
}

function flagAbout(arg: ArgsDef[string]): string {
  const end = arg.required ? ' (needed)' : arg.default === undefined ? '' : ` (${arg.default})`;
  return `${arg.description ?? ''}${end}`;
}

function section(title: string, rows: readonly (readonly [string, string])[]): string[] {
  if (rows.length === 0) return [];
  const width = Math.max(...rows.map(([left]) => left.length));
  return ['', `${title}:`, ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)];
}
