// The command `purser`: finds the command that is meant, checks its flags, runs it, and tells what
// failed in one line with its remedy. Exit codes: 0 done, 1 failed, 2 not understood.

import { stripVTControlCharacters } from 'node:util';
import { type ArgsDef, type CommandDef, parseArgs } from 'citty';
import { closest } from '../../core/closest.js';
import { OperatorError } from '../../core/errors.js';
import { budgetCommand } from './budget.js';
import { callsCommand } from './calls.js';
import { define } from './command.js';
import type { CliDeps } from './deps.js';
import { doctorCommand } from './doctor.js';
import { helpText } from './help.js';
import { keyCommand } from './key.js';
import { limitCommand } from './limit.js';
import { memoryCommand } from './memory.js';
import { migrateCommand } from './migrate.js';
import { occasionCommand } from './occasion.js';
import { priceCommand } from './price.js';
import { promptCommand } from './prompt.js';
import { reservationCommand } from './reservation.js';
import { startCommand } from './start.js';
import { styled } from './table.js';
import { usageCommand } from './usage.js';

class NotUnderstood extends OperatorError {
  override name = 'NotUnderstood';
}

/** Runs the command line; answers the exit code. */
export async function runCli(argv: readonly string[], deps: CliDeps): Promise<number> {
  try {
    await dispatch([...argv], deps);
    return 0;
  } catch (error) {
    // What citty itself refuses (a positional that is missing) is no failure of ours either.
    const known = error instanceof OperatorError || (error as Error).name === 'CLIError';
    if (!known) throw error;
    const { message } = error as Error;
    const remedy = error instanceof OperatorError ? error.remedy : 'See --help.';
    if (argv.includes('--json')) {
      deps.err.write(`${JSON.stringify({ error: { message, remedy } })}\n`);
    } else {
      const head = styled('red', 'purser:', deps.err.isTTY);
      deps.err.write(`${head} ${stripVTControlCharacters(message)}\n${remedy}\n`);
    }
    return error instanceof NotUnderstood || !(error instanceof OperatorError) ? 2 : 1;
  }
}

export function rootCommand(deps: CliDeps): CommandDef {
  return define({
    meta: {
      name: 'purser',
      version: deps.version,
      description: 'The LLM gateway that holds the purse',
    },
    subCommands: {
      start: startCommand(deps),
      doctor: doctorCommand(deps),
      migrate: migrateCommand(deps),
      key: keyCommand(deps),
      limit: limitCommand(deps),
      budget: budgetCommand(deps),
      calls: callsCommand(deps),
      usage: usageCommand(deps),
      price: priceCommand(deps),
      reservation: reservationCommand(deps),
      prompt: promptCommand(deps),
      memory: memoryCommand(deps),
      occasion: occasionCommand(deps),
    },
  });
}

async function dispatch(argv: string[], deps: CliDeps): Promise<void> {
  if (argv[0] === '--version') {
    deps.out.write(`${deps.version}\n`);
    return;
  }
  let command = rootCommand(deps);
  const path = ['purser'];
  const rest = [...argv];
  for (;;) {
    const inner = command.subCommands as Record<string, CommandDef> | undefined;
    const word = rest[0];
    if (inner === undefined || word === undefined || word.startsWith('-')) break;
    if (!Object.hasOwn(inner, word)) throw unknownCommand(path.join(' '), word, Object.keys(inner));
    command = inner[word]!;
    path.push(word);
    rest.shift();
  }
  const asksHelp = rest.includes('--help') || rest.includes('-h');
  if (asksHelp || command.run === undefined) {
    deps.out.write(`${helpText(command, path.join(' '), deps.version)}\n`);
    if (asksHelp || path.length === 1) return;
    throw new NotUnderstood(
      `${path.join(' ')} needs one of its commands`,
      'They are listed above.',
    );
  }
  const definitions = (command.args ?? {}) as ArgsDef;
  refuseUnknownFlags(rest, definitions, path.join(' '));
  const args = parseArgs(rest, definitions);
  await command.run({ rawArgs: rest, args, cmd: command });
}

function unknownCommand(path: string, word: string, known: readonly string[]): NotUnderstood {
  const guess = closest(word, known);
  const remedy = guess ? `Did you mean \`${path} ${guess}\`?` : `There are: ${known.join(', ')}.`;
  return new NotUnderstood(`${path} has no command ${word}`, remedy);
}

// citty takes any flag; a mistyped one must not silently mean nothing.
function refuseUnknownFlags(rest: readonly string[], definitions: ArgsDef, path: string): void {
  const known = Object.keys(definitions).filter((name) => definitions[name]?.type !== 'positional');
  const positionals = Object.keys(definitions).length - known.length;
  let words = 0;
  for (let at = 0; at < rest.length; at++) {
    const word = rest[at]!;
    if (!word.startsWith('-')) {
      words++;
      continue;
    }
    const name = word.replace(/^--?(no-)?/, '').split('=')[0]!;
    if (!known.includes(name)) {
      const guess = closest(name, known);
      const remedy = guess ? `Did you mean --${guess}?` : `See \`${path} --help\`.`;
      throw new NotUnderstood(`${path} has no flag ${word.split('=')[0]}`, remedy);
    }
    if (definitions[name]?.type === 'boolean' || word.includes('=')) continue;
    const value = rest[++at];
    if (value === undefined || value.startsWith('--')) {
      throw new NotUnderstood(`${word} needs a value`, `See \`${path} --help\`.`);
    }
  }
  if (words > positionals) {
    throw new NotUnderstood(`${path} was given too many words`, `See \`${path} --help\`.`);
  }
}
