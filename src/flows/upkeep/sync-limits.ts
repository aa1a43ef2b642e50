// Limits from SQL to the ledger, so that envelopes which nobody is calling are right too: on every
// change of the directory, and all of them once a minute. Reserve brings its own limits along, so
// a call never waits for this.

import type { Clock } from '../../core/clock.js';
import type { DirectorySnapshot } from '../../core/directory.js';
import { settingAt } from '../../core/envelope.js';
import type { Log } from '../../core/log.js';
import { isTemplate, limitAt } from '../../rules/budget/envelopes.js';
import { pairEnvelope } from '../../rules/budget/pair-envelope.js';
import type { Ledger, LimitSetting } from '../../stores/ledger/ledger.js';
import { type Repeated, repeat } from './repeat.js';
import type { Turn } from './turn.js';

export interface SyncLimitsOptions {
  ledger: Ledger;
  clock: Clock;
  log: Log;
  everyMs: number;
  /** Where several gateways run it: whose turn it is. */
  turn?: Turn | undefined;
  snapshot(): DirectorySnapshot;
  onChange(callback: (snapshot: DirectorySnapshot) => void): () => void;
}

const BATCH_MAX = 64;

export function createLimitSync(options: SyncLimitsOptions): Repeated & { sync(): Promise<void> } {
  const { ledger, clock, log, everyMs, turn } = options;
  const sync = async (): Promise<void> => {
    const settings = limitSettings(options.snapshot(), ledger.nowMs());
    for (let at = 0; at < settings.length; at += BATCH_MAX) {
      await ledger.setLimits(settings.slice(at, at + BATCH_MAX));
    }
  };
  const repeated = repeat({ clock, log, everyMs, name: 'the limit sync', turn }, sync);
  let forget = () => {};
  return {
    sync,
    start() {
      repeated.start();
      forget = options.onChange(() => {
        sync().catch((error: unknown) => log.warn({ err: error }, 'limits could not be synced'));
      });
    },
    stop() {
      forget();
      return repeated.stop();
    },
  };
}

/** The settings of every envelope whose id is known before a call names it. */
export function limitSettings(snapshot: DirectorySnapshot, nowMs: number): LimitSetting[] {
  const settings: LimitSetting[] = [];
  for (const limit of snapshot.limits) {
    if (isTemplate(limit)) continue;
    const { mode, id } = limit;
    settings.push({ envelope: `limit:${id}`, mode, ...limitAt(limit, nowMs) });
  }
  for (const { agentId, allocatedTokens, version } of snapshot.tokenBudgetsByAgent.values()) {
    settings.push({
      envelope: `tokens:${agentId}`,
      limit: allocatedTokens,
      mode: 'block',
      version,
    });
  }
  for (const pair of new Set(snapshot.pairs?.values())) {
    const envelope = pairEnvelope(pair);
    const { limit, version } = settingAt(envelope, nowMs);
    settings.push({ envelope: envelope.id, mode: envelope.mode, limit, version });
  }
  return settings;
}
