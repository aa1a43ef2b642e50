// `purser calls`: the stop for all calls of the installation, and its end.

import type { JsonObject } from '../../core/json.js';
import { withAdmin } from './admin-door.js';
import { type Command, define, flagsOf, print, REMOTE } from './command.js';

const PATH = '/admin/v1/stop';

const status: Command = (deps) =>
  define({
    meta: { name: 'status', description: 'Whether calls are taken' },
    args: REMOTE,
    run: ({ args }) =>
      withAdmin(deps, flagsOf(args), async (door) => {
        const state = await door.get(PATH);
        print(deps, args, state, () => stateText(state));
      }),
  });

const stop: Command = (deps) =>
  define({
    meta: { name: 'stop', description: 'Refuse every new call, on every gateway' },
    args: {
      ...REMOTE,
      reason: { type: 'string', required: true, valueHint: 'text', description: 'Told to callers' },
    },
    run: ({ args }) =>
      withAdmin(deps, flagsOf(args), async (door) => {
        const state = await door.send('POST', PATH, { reason: args.reason });
        print(deps, args, state, () => stateText(state));
      }),
  });

const resume: Command = (deps) =>
  define({
    meta: { name: 'resume', description: 'Take calls again' },
    args: REMOTE,
    run: ({ args }) =>
      withAdmin(deps, flagsOf(args), async (door) => {
        const state = await door.send('DELETE', PATH);
        print(deps, args, state, () => stateText(state));
      }),
  });

function stateText({ stopped, reason }: JsonObject): string {
  return stopped === true ? `Calls are stopped: ${String(reason)}` : 'Calls are taken.';
}

export const callsCommand: Command = (deps) =>
  define({
    meta: { name: 'calls', description: 'Stop all calls, and take them again' },
    subCommands: { status: status(deps), stop: stop(deps), resume: resume(deps) },
  });
