// A job that is done again and again, never twice at once. Its failures are told and do not end
// it: the next time may be better.

import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import type { Turn } from './turn.js';

export interface RepeatOptions {
  clock: Clock;
  log: Log;
  everyMs: number;
  /** What is told where it fails: `the reaper`. */
  name: string;
  /** Absent: no other gateway runs it. */
  turn?: Turn | undefined;
}

export interface Repeated {
  start(): void;
  /** Resolves when the round under way has ended. */
  stop(): Promise<void>;
}

export function repeat(options: RepeatOptions, round: () => Promise<unknown>): Repeated {
  const { clock, log, everyMs, name, turn } = options;
  let running: Promise<void> | undefined;
  let cancel: (() => void) | undefined;
  const tick = () => {
    running ??= (turn ? turn() : Promise.resolve(true))
      .then((isOurs) => (isOurs ? round() : undefined))
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
