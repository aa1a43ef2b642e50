// `purser doctor`: looks at everything that a gateway needs and says what it saw. Asks providers
// for nothing; with --connect it opens a TCP connection to each, and closes it.

import { OperatorError } from '../../core/errors.js';
import { type Command, define, flagsOf, print, REMOTE } from './command.js';
import type { CliDeps, CliFlags, CliSettings } from './deps.js';
import type { Finding } from './doctor-checks.js';
import * as checks from './doctor-checks.js';
import { printable, type Style, styled } from './table.js';

const MARKS: Record<Finding['state'], [string, Style]> = {
  ok: ['ok', 'green'],
  note: ['--', 'yellow'],
  fault: ['!!', 'red'],
};

export const doctorCommand: Command = (deps) =>
  define({
    meta: { name: 'doctor', description: 'Check what the gateway needs, and say what was seen' },
    args: {
      ...REMOTE,
      connect: { type: 'boolean', description: 'Open a TCP connection to each provider' },
    },
    run: async ({ args }) => {
      const findings = await examine(deps, flagsOf(args), args.connect === true);
      const faults = findings.filter((finding) => finding.state === 'fault');
      print(deps, args, { ok: faults.length === 0, findings }, () =>
        findings.map((finding) => findingText(finding, deps.out.isTTY)).join('\n'),
      );
      if (faults.length > 0) {
        const what = faults.map((finding) => finding.check).join(', ');
        throw new OperatorError(`something is wrong: ${what}`, 'Each line marked !! says what.');
      }
    },
  });

function findingText({ check, state, saw }: Finding, colour: boolean): string {
  const [mark, style] = MARKS[state];
  return `${styled(style, mark, colour)} ${check.padEnd(14)} ${printable(saw)}`;
}

async function examine(deps: CliDeps, flags: CliFlags, connect: boolean): Promise<Finding[]> {
  const machine = [checks.node(), checks.descriptors()];
  let settings: CliSettings;
  try {
    settings = deps.settings(flags);
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    return [{ check: 'configuration', state: 'fault', saw: error.message }, ...machine];
  }
  const { configFile, warnings } = settings;
  return [
    { check: 'configuration', state: 'ok', saw: configFile },
    ...warnings.map((saw): Finding => ({ check: 'configuration', state: 'note', saw })),
    ...(await checks.stores(deps, flags, settings)),
    ...(await Promise.all(settings.providers.map((one) => checks.provider(one, connect)))),
    checks.clock(deps.clock, settings.dataDir),
    checks.disk(settings.dataDir),
    ...machine,
  ];
}
