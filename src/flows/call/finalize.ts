// Books the true amount, exactly once. A reservation may be refused; a finalize may not, because
// by then the provider has charged: any amount is taken, and a ledger that cannot answer leaves
// the event to the spool, from which it is booked later.

import type { Amounts } from '../../core/amount.js';
import type { Price } from '../../core/price.js';
import { inputTokens, outputTokens, type Usage } from '../../core/usage.js';
import type { Outcome, Reading, UsageEvent } from '../../core/usage-event.js';
import { inputCharge } from '../../rules/catalog/charge.js';
import { isStandardTier } from '../../rules/catalog/tier-rates.js';
import { keptAs } from '../../rules/providers/kept-as.js';
import {
  type FinalizeReply,
  type FinalizeRequest,
  LedgerUnavailable,
} from '../../stores/ledger/ledger.js';
import { sizesKey } from './estimate.js';
import { amountsOf, type Metered } from './meter.js';
import { type Passage, plus, type Settlement, stopBeat } from './passage.js';

export interface Ended {
  metered: Metered;
  outcome: Outcome;
  finishReason: string | null;
  anomalies: readonly string[];
  /** The provider's id of its answer. */
  answerId?: string | undefined;
}

/** At once where the ledger answers at once. */
export function finalize(passage: Passage, ended: Ended): Settlement | Promise<Settlement> {
  stopBeat(passage);
  const { deps, admission } = passage;
  const { id } = admission.reserved;
  const { usage, serviceTier } = ended.metered;
  const actual = plus(passage.billed, amountsOf(passage.target, usage, serviceTier));
  const reading = readingOf(passage, ended, actual.nano_usd);
  learn(passage, ended, reading);
  const event = { id, stub: admission.stubFields, reading };
  const { now } = deps.ledger;
  if (now) {
    passage.settlement = settled(passage, reading, actual, now.finalize({ id, actual, event }));
    return passage.settlement;
  }
  return bookLater(passage, { id, actual, event, stub: admission.stub }, reading);
}

async function bookLater(
  passage: Passage,
  request: FinalizeRequest,
  reading: Reading,
): Promise<Settlement> {
  const { deps } = passage;
  const { id, actual } = request;
  let settlement: Settlement;
  try {
    const reply = await deps.ledger.finalize(request);
    settlement = settled(passage, reading, actual, reply);
  } catch (error) {
    if (!(error instanceof LedgerUnavailable)) throw error;
    deps.log.warn({ id, reason: error.message }, 'the ledger could not book; the spool keeps it');
    settlement = { ...unbooked(passage, reading, actual), reading };
  }
  passage.settlement = settlement;
  return settlement;
}

function settled(
  passage: Passage,
  reading: Reading,
  actual: Amounts,
  reply: FinalizeReply,
): Settlement {
  const { deps, admission } = passage;
  const { id } = admission.reserved;
  if (reply.answer === 'FINALIZED' || reply.answer === 'LATE_FINALIZE') {
    if (reply.answer === 'LATE_FINALIZE') deps.log.warn({ id }, 'booked after it was reaped');
    const { custodian, balances } = reply;
    // The row of the reap may be lost before it is written: then this is all there is.
    const booked = reply.event?.kind === 'late' ? { ...reply.event, actual } : reply.event;
    return { event: booked, custodian, balances, reading };
  }
  if (reply.answer === 'ALREADY_FINALIZED') {
    deps.log.error({ id }, 'a call was finalized twice; the first amount stays');
    return { event: undefined, custodian: 'none', balances: reply.balances, reading };
  }
  deps.log.error({ id, answer: reply.answer }, 'the ledger does not know this call');
  return { ...unbooked(passage, reading, actual), reading };
}

// What this call teaches for those to come.
function learn(passage: Passage, { metered, outcome }: Ended, { kept, provider }: Reading): void {
  const { deps, caller, target, estimate } = passage;
  if (outcome === 'completed') {
    deps.outputSizes.note(sizesKey(caller, target), outputTokens(metered.usage));
  }
  if (kept?.as === 'response') deps.responseIds.note(kept.id, provider, caller.keyId);
  const text = estimate.inputText?.get(target.id);
  if (text && metered.source === 'provider') {
    deps.calibration.note(target.id, text, inputTokens(metered.usage));
  }
}

function unbooked(
  passage: Passage,
  reading: Reading,
  actual: Readonly<Record<string, number>>,
): Omit<Settlement, 'reading'> {
  const { reserved, stubFields } = passage.admission;
  const lines = reserved.lines.map((line) => ({
    e: line.envelope,
    l: line.label,
    u: line.unit,
    a: actual[line.unit] ?? 0,
    o: 0,
  }));
  const atMs = passage.deps.ledger.nowMs();
  const event: UsageEvent = {
    id: reserved.id,
    kind: 'base',
    lines,
    stub: stubFields,
    reading,
    seq: 0,
    epoch: 0,
    atMs,
    unbooked: true,
  };
  return { event, custodian: 'none', balances: reserved.balances };
}

function readingOf(passage: Passage, ended: Ended, costNanoUsd: number): Reading {
  const { call, deps, estimate, target } = passage;
  const usage = { ...ended.metered.usage };
  // Prompts of attempts that brought nothing are tokens of this call, too.
  usage.input += passage.billed.tokens;
  const { serviceTier } = ended.metered;
  const unpriced = unpricedParts(target.price, serviceTier);
  const firstByteMs =
    passage.firstByteMs === null ? null : Math.round(passage.firstByteMs - call.arrivedMs);
  const lastByteMs = passage.lastByteMs ?? deps.clock.elapsedMs();
  const reading: Reading = {
    provider: target.provider.name,
    model: target.model,
    priceVersion: target.price?.version ?? '',
    usage,
    usageSource: ended.metered.source,
    costNanoUsd,
    outcome: ended.outcome,
    finishReason: ended.finishReason,
    endedAtMs: deps.ledger.nowMs(),
    firstByteMs,
    modelMs: passage.dispatchedMs === 0 ? null : Math.round(lastByteMs - passage.dispatchedMs),
    attempts: passage.attempts,
    estimatedInputTokens: estimate.inputTokens,
    estimatedOutputTokens: estimate.outputTokensMax * call.body.choices,
    heldNanoUsd: estimate.hold.nano_usd,
    anomalies: unpriced.length === 0 ? ended.anomalies : [...ended.anomalies, ...unpriced],
  };
  const saved = savedBy(passage, usage);
  if (saved) reading.saved = saved;
  const kept = keptOf(passage, ended);
  if (kept) reading.kept = kept;
  if (serviceTier !== undefined) reading.serviceTier = serviceTier;
  return reading;
}

/** A prompt that nobody was charged for saved nothing either. */
function savedBy({ admission, target }: Passage, usage: Usage): Reading['saved'] {
  const fitted = admission.stubFields.prompt;
  const tokens = fitted ? fitted.tokensBefore - fitted.tokensAfter : 0;
  if (tokens <= 0 || inputTokens(usage) === 0) return undefined;
  const nanoUsd = target.price ? inputCharge(target.price, usage, tokens) : 0;
  return { tokens, nanoUsd };
}

function keptOf({ call, target }: Passage, { answerId: id }: Ended): Reading['kept'] {
  if (id === undefined) return undefined;
  const as = keptAs(call.operation, call.body, target.provider.quirks);
  return as && { id, as };
}

const NONE: readonly string[] = [];

function unpricedParts(price: Price | undefined, tier: string | undefined): readonly string[] {
  if (!price) return ['unpriced'];
  const isKnown = isStandardTier(tier) || price.serviceTiers?.[tier ?? ''] !== undefined;
  return isKnown ? NONE : [`service_tier: ${tier} was priced as default`];
}
