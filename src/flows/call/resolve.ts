// Which targets may serve the call: the model's plan, if the key may use that model at all.

import type { Call, Caller, Plan } from '../../core/call.js';
import { isRefused, type Refused, refuse } from '../../core/errors.js';
import type { CallDeps } from './deps.js';

export function resolve(deps: CallDeps, call: Call, caller: Caller): Plan | Refused {
  const model = call.body.model;
  if (!mayUse(caller.allowedModels, model)) {
    const allowed = (caller.allowedModels ?? []).join(', ');
    return refuse('model_not_allowed', `This key may not use ${model}. It may use: ${allowed}.`, {
      param: 'model',
    });
  }
  const plan = deps.plan(model);
  return isRefused(plan) ? plan : servedPlan(call, plan);
}

// A call passes in its own wire format: it can only go to providers that speak it.
function servedPlan(call: Call, plan: Plan): Plan | Refused {
  const dialect = call.operation === 'messages' ? 'anthropic' : 'openai';
  const targets = plan.targets.filter(({ provider }) => provider.dialect === dialect);
  if (targets.length > 0) return { ...plan, targets };
  const door = dialect === 'anthropic' ? '/v1/chat/completions' : '/v1/messages';
  return refuse(
    'model_not_found',
    `${plan.publicModel} is not served in this wire format; ask for it at ${door}.`,
    { param: 'model' },
  );
}

/** Whether a list of model names and patterns (`gpt-*`) has this one; null allows every model. */
export function mayUse(allowed: readonly string[] | null, model: string): boolean {
  if (allowed === null) return true;
  return allowed.some((entry) =>
    entry.endsWith('*') ? model.startsWith(entry.slice(0, -1)) : entry === model,
  );
}
