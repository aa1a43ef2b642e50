// Which targets may serve the call: the model's plan, if the key may use that model at all; and
// the budgets of models and providers, which are known only now.

import type { Call, Caller, Plan, Target } from '../../core/call.js';
import type { Envelope } from '../../core/envelope.js';
import { isRefused, type Refused, refuse } from '../../core/errors.js';
import { ENVELOPES_MAX } from '../../rules/budget/envelopes.js';
import type { CallDeps } from './deps.js';

export function resolve(deps: CallDeps, call: Call, caller: Caller): Plan | Refused {
  const model = call.body.model;
  const forbidden = refuseModel(caller, model);
  if (forbidden) return forbidden;
  const plan = deps.plan(model);
  return isRefused(plan) ? plan : servedPlan(call, plan);
}

/** Why this caller may not use a model: its key, or the tier of its agent. */
export function refuseModel(caller: Caller, model: string): Refused | undefined {
  const { allowedModels: ofKey, tier } = caller;
  const refused = (who: string, allowed: readonly string[] | null): Refused => {
    const list = (allowed ?? []).join(', ') || 'none';
    return refuse('model_not_allowed', `${who} may not use ${model}. It may use: ${list}.`, {
      param: 'model',
      metadata: { allowed: list },
    });
  };
  if (!mayUse(ofKey, model)) return refused('This key', ofKey);
  if (!tier || mayUse(tier.allowedModels, model)) return undefined;
  return refused(`An agent of tier ${tier.tier} (${tier.level})`, tier.allowedModels);
}

// A call passes in its own wire format: it can only go to providers that speak it.
function servedPlan(call: Call, plan: Plan): Plan | Refused {
  const { operation } = call;
  const isMessages = operation === 'messages' || operation === 'count_tokens';
  const dialect = isMessages ? 'anthropic' : 'openai';
  if (plan.targets.every(({ provider }) => provider.dialect === dialect)) return plan;
  const targets = plan.targets.filter(({ provider }) => provider.dialect === dialect);
  if (targets.length > 0) return { ...plan, targets };
  const door = dialect === 'anthropic' ? '/v1/chat/completions' : '/v1/messages';
  return refuse(
    'model_not_found',
    `${plan.publicModel} is not served in this wire format; ask for it at ${door}.`,
    { param: 'model' },
  );
}

/**
 * The caller with the budgets of every target that may come to serve its call: any of them may,
 * so there must be room in all. A target that would bring too many is left out of the plan.
 */
export function withTargets(
  deps: CallDeps,
  caller: Caller,
  plan: Plan,
): { caller: Caller; plan: Plan } {
  const { publicModel } = plan;
  const isOwn = (target: Target) =>
    deps.targetEnvelopes(caller, target, publicModel) === caller.envelopes;
  if (plan.targets.every(isOwn)) return { caller, plan };
  const all = new Map<string, Envelope>();
  let changed = false;
  const targets = plan.targets.filter((target, index) => {
    const own = deps.targetEnvelopes(caller, target, publicModel);
    if (own === caller.envelopes) return true;
    const fresh = own.filter(({ id }) => !all.has(id));
    if (index > 0 && all.size + fresh.length > ENVELOPES_MAX) return false;
    for (const envelope of fresh) all.set(envelope.id, envelope);
    changed = true;
    return true;
  });
  if (!changed) return { caller, plan };
  const envelopes = [...all.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  return { caller: { ...caller, envelopes }, plan: { ...plan, targets } };
}

/** Whether a list of model names and patterns (`gpt-*`) has this one; null allows every model. */
export function mayUse(allowed: readonly string[] | null, model: string): boolean {
  if (allowed === null) return true;
  return allowed.some((entry) =>
    entry.endsWith('*') ? model.startsWith(entry.slice(0, -1)) : entry === model,
  );
}
