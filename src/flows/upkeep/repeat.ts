// A job that is done again and again, never twice at once. Its failures are told and do not end
// it: the next time may be better.

import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';

export interface RepeatOptions {
  clock: Clock;
  log: Log;
  everyMs: number;
  /** What is told where it fails: `the reaper`. */
  name: string;
}

export interface Repeated {
  start(): void;
  /** Resolves when the round under way has ended. */
  stop(): Promise<void>;
}

export function repeat(options: RepeatOptions, round: () => Promise<unknown>): Repeated {
  const { clock, log, everyMs, name } = options;
  let running: Promise<void> | undefined;
  let cancel: (() => void) | undefined;
  const tick = () => {
    running ??= round()
      .then(
        () => undefined,
        (error: unknown) => log.warn({ err: error }, `${name} failed and will try again`),
      )
      .finally(() => {
        running = undefined;
      });
  };
  return {
    start() {
      cancel ??= clock.every(everyMs, tick);
    },
    async stop() {
      cancel?.();
      cancel = undefined;
      await running;
    },
  };
}
