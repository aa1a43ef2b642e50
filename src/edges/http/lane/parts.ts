// What the connections of a lane share.

import type { Clock } from '../../../core/clock.js';
import type { Log } from '../../../core/log.js';
import type { Roster } from '../../../core/roster.js';
import type { IdleWatch } from '../../../drivers/idle-watch.js';
import type { HotDoors } from '../app.js';
import type { Limits } from '../limits.js';
import type { Traffic } from '../traffic.js';
import type { AnswerHeads } from './answer-head.js';

export interface LaneParts {
  readonly doors: HotDoors;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly log: Log;
  readonly traffic: Traffic;
  readonly heads: AnswerHeads;
  /** Looks after all connections: none has a timer of its own. */
  readonly watch: IdleWatch;
  /** Their shortest wait. */
  readonly idleMsMin: number;
  readonly connections: Roster<Open>;
}

export interface Open {
  /** Whether it has been answered and waits for the next request. */
  readonly idle: boolean;
  destroy(): void;
}
