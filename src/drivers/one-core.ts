// Where the process may use one core only, the collector's helper threads bring no time and cost
// switches: a small call then spends a fifth of its CPU in them.

import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';

/** Has the young generation collected by the loop's own thread if there is no other core. */
export function collectAlone(cores: number = availableParallelism()): void {
  if (cores === 1) setFlagsFromString('--no-parallel-scavenge');
}
