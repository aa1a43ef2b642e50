#!/usr/bin/env node
// The program: hands the process itself (arguments, environment, output, signals) to the command
// line, and knows nothing else.

import { composeCli } from './compose-cli.js';
import { runCli } from './edges/cli/cli.js';
import type { Output } from './edges/cli/deps.js';

function output(stream: NodeJS.WriteStream): Output {
  return {
    write: (text) => void stream.write(text),
    isTTY: stream.isTTY === true,
    columns: stream.columns ?? 80,
  };
}

const deps = composeCli({
  env: process.env,
  cwd: process.cwd(),
  out: output(process.stdout),
  err: output(process.stderr),
  onSignal(callback) {
    process.on('SIGTERM', callback);
    process.on('SIGINT', callback);
  },
  exit: (code) => process.exit(code),
});

const code = await runCli(process.argv.slice(2), deps);
if (code !== 0) process.exitCode = code;
