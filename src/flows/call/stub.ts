// What is known of a call at its reserve, for whoever ends it: as an object and as JSON. Of calls
// of one key to one target only the last members differ; the text before them is written once.

import type { Call, Caller, Plan, Target } from '../../core/call.js';
import type { Envelope } from '../../core/envelope.js';
import type { Attribution, PairCharge, Stub } from '../../core/usage-event.js';
import { rateAt } from '../../rules/budget/pair-envelope.js';

// The rate that a person's budget is counted at is that of the moment of the reserve.
function pairCharge(envelopes: readonly Envelope[], nowMs: number): PairCharge | undefined {
  const envelope = envelopes.find((one) => one.currency);
  if (!envelope?.currency) return undefined;
  const { code, rates } = envelope.currency;
  const usdPerUnit = rateAt(rates, nowMs);
  const id = envelope.id.slice('pair:'.length);
  return usdPerUnit === undefined ? undefined : { id, currency: code, usdPerUnit };
}

export function stubOf(call: Call, caller: Caller, plan: Plan, startedAtMs: number): Stub {
  const first = plan.targets[0];
  const pair = pairCharge(caller.envelopes, startedAtMs);
  const stub: Stub = {
    attribution: caller.attribution,
    provider: first?.provider.name ?? '',
    model: first?.model ?? plan.publicModel,
    priceVersion: first?.price?.version ?? '',
    startedAtMs,
    stream: call.body.stream,
    requestId: call.requestId,
  };
  if (pair) stub.pair = pair;
  if (call.prompt) stub.prompt = call.prompt.figures;
  return stub;
}

/** JSON of the stub that `stubOf` made of this call. */
export function stubText(call: Call, plan: Plan, stub: Stub): string {
  const { startedAtMs, stream, requestId, pair, prompt } = stub;
  const before = textBefore(stub, call, plan.targets[0]);
  let text = `${before}${startedAtMs},"stream":${stream},"requestId":${JSON.stringify(requestId)}`;
  if (pair) text += `,"pair":${JSON.stringify(pair)}`;
  if (prompt) text += `,"prompt":${JSON.stringify(prompt)}`;
  return `${text}}`;
}

interface Before {
  target: Target | undefined;
  text: string;
}

const known = new WeakMap<Attribution, Before>();

function textBefore(stub: Stub, call: Call, target: Target | undefined): string {
  const { attribution } = stub;
  // Another attribution than the key's own is this call's alone.
  if (attribution !== call.known?.attribution) return writeBefore(stub);
  const before = known.get(attribution);
  if (before && before.target === target) return before.text;
  const text = writeBefore(stub);
  known.set(attribution, { target, text });
  return text;
}

function writeBefore({ attribution, provider, model, priceVersion }: Stub): string {
  const json = JSON.stringify({ attribution, provider, model, priceVersion });
  return `${json.slice(0, -1)},"startedAtMs":`;
}
