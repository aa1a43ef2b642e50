// How many tokens a byte makes, learnt from what providers tell, kept in SQL and told in metrics.

import type { Clock } from './core/clock.js';
import type { Log } from './core/log.js';
import type { Database } from './drivers/database.js';
import type { Metrics } from './drivers/metrics.js';
import { repeat } from './flows/upkeep/repeat.js';
import { createCalibration } from './stores/calibration.js';

const EVERY_MS = 30_000;

export function composeCalibration(parts: {
  database: Database;
  metrics: Metrics;
  clock: Clock;
  log: Log;
}) {
  const { database, metrics, clock, log } = parts;
  const calibration = createCalibration(database);
  const name = 'the calibration of counts';
  const { start, stop } = repeat({ clock, log, everyMs: EVERY_MS, name }, () => calibration.sync());
  metrics.gaugeByModel(
    'purser_tokens_per_byte',
    'Tokens that are held for a byte of a prompt',
    () =>
      calibration.factors().map(({ target, factor }) => {
        const slash = target.indexOf('/');
        return { provider: target.slice(0, slash), model: target.slice(slash + 1), value: factor };
      }),
  );
  const last = (error: Error) => log.warn({ err: error }, 'what was calibrated could not be kept');
  return {
    calibration,
    calibrator: {
      async start(): Promise<void> {
        await calibration.sync();
        start();
      },
      async stop(): Promise<void> {
        await stop();
        await calibration.sync().catch(last);
      },
    },
  };
}
