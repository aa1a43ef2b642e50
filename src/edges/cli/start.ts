// `purser start`: the gateway in this process. Flags are the configuration's own.

import { type Command, define, flagsOf, LOCAL } from './command.js';

export const startCommand: Command = (deps) =>
  define({
    meta: { name: 'start', description: 'Start the gateway' },
    args: {
      config: LOCAL.config,
      host: { type: 'string', valueHint: 'address', description: 'Address to listen on' },
      port: { type: 'string', valueHint: 'number', description: 'Port to listen on' },
      'data-dir': { type: 'string', valueHint: 'folder', description: 'Database and spool' },
      mode: { type: 'string', valueHint: 'enforce|dry', description: 'dry refuses nothing' },
      workers: { type: 'string', valueHint: 'number', description: 'Gateway processes' },
      'log-level': { type: 'string', valueHint: 'level', description: 'trace to silent' },
    },
    run: ({ args }) => deps.start(flagsOf(args)),
  });
