// Tells of a counter that is off: once a day for each, whichever gateway sees it.

import type { DirectorySnapshot } from '../../core/directory.js';
import type { Queryable } from '../../drivers/database.js';
import { amountWithUnit } from '../../rules/budget/amount-text.js';
import { watchedEnvelope } from '../../rules/budget/watched.js';
import type { Ledger } from '../../stores/ledger/ledger.js';
import { enqueueNotice } from '../../stores/notices.js';
import type { Drift } from './reconcile.js';

export interface TellDriftOptions {
  database: Queryable;
  directory: { snapshot(): DirectorySnapshot };
  ledger: Pick<Ledger, 'nowMs'>;
}

export function tellDrift({ database, directory, ledger }: TellDriftOptions) {
  return async (drift: Drift): Promise<void> => {
    const { envelope, label, counter, unit } = drift;
    const nowMs = ledger.nowMs();
    const about = watchedEnvelope(envelope, directory.snapshot(), nowMs);
    const day = new Date(nowMs).toISOString().slice(0, 10);
    const amount = (value: number): string => amountWithUnit(unit, value);
    const news = {
      type: 'ledger.drift',
      key: `ledger.drift/${counter}/${envelope}/${label}/${day}`,
      title: `${about?.scope ?? envelope} drifts: ${counter}`,
      message: `The ledger has ${amount(drift.ledger)}, the record ${amount(drift.expected)}.`,
      severity: 'critical',
      about: { ...drift },
      projectId: about?.projectId ?? null,
      agentId: about?.agentId ?? null,
    } as const;
    await enqueueNotice(database, news, nowMs);
  };
}
