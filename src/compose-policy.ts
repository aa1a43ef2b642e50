// What the operator's rules add to the path of a call: the stop for all calls, budgets of models
// and providers, and the status by which a client is told that money is out.

import type { Config } from './config.js';
import type { DirectorySnapshot } from './core/directory.js';
import { type Balance, type Envelope, type ScopeType, settingAt } from './core/envelope.js';
import { ERROR_CODES, refuse } from './core/errors.js';
import type { EnvelopeState } from './edges/http/caller-doors.js';
import type { CallDeps } from './flows/call/deps.js';
import type { Quote } from './flows/call/quote.js';
import { envelopesFor } from './rules/budget/envelopes.js';
import { periodWindow } from './rules/budget/period-window.js';
import { refusalOf } from './rules/budget/refusal.js';
import type { Directory } from './stores/directory.js';
import type { Ledger } from './stores/ledger/ledger.js';

export interface PolicyParts {
  config: Config;
  directory: Pick<Directory, 'snapshot'>;
}

type Policy = Pick<CallDeps, 'refuseNew' | 'explain' | 'targetEnvelopes'>;

export function composePolicy({ config, directory }: PolicyParts): Policy {
  return {
    refuseNew() {
      const { stopped } = directory.snapshot();
      if (!stopped) return undefined;
      return refuse('calls_stopped', `All calls are stopped here: ${stopped.reason}`, {
        headers: { 'x-should-retry': 'false' },
      });
    },
    explain(shortages, envelopes, nowMs) {
      const told = refusalOf(shortages, envelopes, nowMs);
      const isBudget = ERROR_CODES[told.refused.code].status === 402;
      if (config.limitsExceededStatus === 402 || !isBudget) return told;
      return { refused: { ...told.refused, status: config.limitsExceededStatus } };
    },
    targetEnvelopes(caller, { id, model, provider }, publicModel) {
      const snapshot = directory.snapshot();
      if (!hasTargetLimits(snapshot)) return caller.envelopes;
      const modelNames = [publicModel, id];
      const facts = { ...caller.attribution, model, modelNames, provider: provider.name };
      return envelopesFor(facts, snapshot);
    },
  };
}

const OF_TARGETS: ReadonlySet<ScopeType> = new Set(['model', 'provider']);
const known = new WeakMap<DirectorySnapshot, boolean>();

// Most installations have none: then nothing is worked out a second time for a call.
function hasTargetLimits(snapshot: DirectorySnapshot): boolean {
  let has = known.get(snapshot);
  if (has === undefined) {
    has = snapshot.limits.some(({ scopeType }) => OF_TARGETS.has(scopeType));
    known.set(snapshot, has);
  }
  return has;
}

/** The caller's own envelopes as the ledger has them now. */
export async function budgetOf(
  ledger: Ledger,
  envelopes: readonly Envelope[],
): Promise<EnvelopeState[]> {
  const nowMs = ledger.nowMs();
  const balances = await ledger.balances(
    envelopes.map((envelope) => ({
      envelope: envelope.id,
      label: windowOf(envelope, nowMs).label,
      unit: envelope.unit,
    })),
  );
  return statesOf(envelopes, balances, nowMs);
}

export function quoteStates({ envelopes, balances, timeMs }: Quote): EnvelopeState[] {
  const ordered = envelopes.map(({ id }) => balances.find(({ envelope }) => envelope === id));
  return statesOf(envelopes, ordered, timeMs);
}

function statesOf(
  envelopes: readonly Envelope[],
  balances: readonly (Balance | undefined)[],
  nowMs: number,
): EnvelopeState[] {
  return envelopes.flatMap((envelope, index) => {
    const balance = balances[index];
    if (!balance || !envelope.visible) return [];
    // A counter that nobody touched knows no limit yet: the rows do.
    const { mode } = envelope;
    const { limit } = settingAt(envelope, nowMs);
    const resetsAtMs = windowOf(envelope, nowMs).endsAtMs;
    return [{ envelope, balance: { ...balance, limit, mode }, resetsAtMs }];
  });
}

function windowOf({ period, calendar }: Envelope, nowMs: number) {
  return periodWindow(period, calendar, nowMs);
}
