// The step between resolve and estimate: the prompt is made of its slots and fitted to its budget.
// A call that names none, of an agent without a policy, is not looked at: its bytes stay, and the
// step costs nothing.

import type { Call, CallBody, Caller, Plan, Target } from '../../core/call.js';
import type { Clock } from '../../core/clock.js';
import { isRefused, type Refused, refuse } from '../../core/errors.js';
import type { JsonObject } from '../../core/json.js';
import type { FittedPrompt } from '../../core/prompt.js';
import { type Draft, draftMessages, draftPrompt } from '../../rules/prompt/draft.js';
import { promptFigures, promptHeaders } from '../../rules/prompt/figures.js';
import { fitSlots } from '../../rules/prompt/fit-slots.js';
import {
  type PromptPolicy,
  type PromptWish,
  readPromptPolicy,
  readPromptWish,
} from '../../rules/prompt/policy.js';
import type { PromptFit } from '../../rules/prompt/slot.js';
import type { ChatPieces } from '../../rules/tokens/chat-pieces.js';
import type { PromptTemplate, PromptTemplates } from '../../stores/prompt/templates.js';
import { fittedBody } from './fit-body.js';
import { type CountEach, driveSteps } from './fit-drive.js';
import { fillSlots } from './fit-template.js';
import { weighPrompt } from './fit-weigh.js';

export interface FitDeps {
  clock: Clock;
  /** The same pieces from which `countInput` counts. */
  piecesOf(body: JsonObject, target: Target): ChatPieces;
  countEach: CountEach;
  /** Whether a public tokenizer of the target is known; else counts are bounds by bytes. */
  countsExactly(target: Target): boolean;
  templates: PromptTemplates;
}

export interface Fitted extends FittedPrompt {
  body: CallBody;
}

type FitCall = Pick<Call, 'operation' | 'body'>;

/** Undefined: nobody wished anything of this prompt. */
export function fitPrompt(
  deps: FitDeps,
  call: FitCall,
  caller: Caller,
  plan: Plan,
): Promise<Fitted | Refused> | undefined {
  const asked = call.body.members.has('purser');
  const policy = policyOf(caller);
  if (!asked && policy === undefined) return undefined;
  if (call.operation !== 'chat') {
    return asked ? Promise.resolve(refuse('unsupported_parameter', CHAT_ONLY, PARAM)) : undefined;
  }
  return fitWished(deps, call, caller, plan, policy);
}

const PARAM = { param: 'purser' };
const CHAT_ONLY = 'Prompts are fitted for chat completions only: leave `purser` out here.';

// A key's configuration is the same object until something in the directory changes.
const policies = new WeakMap<JsonObject, { policy: PromptPolicy | Refused | undefined }>();

function policyOf({ modelConfig }: Caller): PromptPolicy | Refused | undefined {
  let read = policies.get(modelConfig);
  if (read === undefined) {
    read = { policy: readPromptPolicy(modelConfig) };
    policies.set(modelConfig, read);
  }
  return read.policy;
}

async function fitWished(
  deps: FitDeps,
  call: FitCall,
  caller: Caller,
  plan: Plan,
  policy: PromptPolicy | Refused | undefined,
): Promise<Fitted | Refused> {
  const { body } = call;
  const target = plan.targets[0];
  if (target === undefined) return refuse('model_not_found', `No target serves ${body.model}.`);
  if (isRefused(policy)) return policy;
  const wish = body.members.has('purser') ? readPromptWish(body.json.purser) : NO_WISH;
  if (isRefused(wish)) return wish;
  const template = await templateOf(deps, caller, wish, policy);
  if (isRefused(template)) return template;
  const filled = await fillSlots(deps.templates, caller, template, wish.slots);
  if (isRefused(filled)) return filled;
  const weights = await driveSteps(
    weighPrompt(body.json, (json) => deps.piecesOf(json, target)),
    deps,
    target,
  );
  const messages = Array.isArray(body.json.messages) ? body.json.messages : [];
  const frame = (role: string): number => weights.frames.get(role) ?? 0;
  const draft = draftPrompt(messages, weights.messages, filled.slots, frame);
  const tokens = budgetOf(deps, call, caller, plan, { wish, policy, template });
  const budget = { tokens, fixedTokens: weights.fixedTokens, shave: policy?.shave ?? true };
  const fitting = await driveSteps(fitSlots(draft.slots, budget), deps, target);
  if (!fitting.fits) return tooLarge(fitting, tokens);
  const warnings = [...fitting.report.warnings, ...filled.warnings];
  if (weights.unbounded) warnings.push('unbounded_parts');
  const report = { ...fitting.report, warnings };
  return {
    body: write(body, draft, fitting),
    report,
    figures: promptFigures(report, fitting.rejects),
    headers: promptHeaders(report),
    templateId: template?.id ?? null,
  };
}

const NO_WISH: PromptWish = { slots: {} };

async function templateOf(
  deps: FitDeps,
  caller: Caller,
  wish: PromptWish,
  policy: PromptPolicy | undefined,
): Promise<PromptTemplate | Refused | undefined> {
  const name = wish.template ?? policy?.template;
  if (name === undefined) {
    if (Object.keys(wish.slots).length === 0) return undefined;
    const message = '`purser.slots` fills the slots of a template: name it in `purser.template`.';
    return refuse('invalid_value', message, { param: 'purser.template' });
  }
  const template = await deps.templates.template(name, caller.attribution.projectId);
  if (template !== undefined) return template;
  const param = wish.template === undefined ? 'prompt_policy.template' : 'purser.template';
  const message = `There is no active template ${JSON.stringify(name)} for this project.`;
  return refuse('invalid_value', message, { param });
}

interface Wishes {
  wish: PromptWish;
  policy: PromptPolicy | undefined;
  template: PromptTemplate | undefined;
}

/** The tightest of what the call, its agent, its template and the models' windows allow. */
function budgetOf(
  deps: FitDeps,
  call: FitCall,
  caller: Caller,
  plan: Plan,
  { wish, policy, template }: Wishes,
): number {
  const bounds = [wish.maxPromptTokens, policy?.maxPromptTokens, template?.maxPromptTokens];
  let tokens = Number.MAX_SAFE_INTEGER;
  for (const bound of bounds) tokens = Math.min(tokens, bound ?? tokens);
  if (!policy?.fitWindow) return tokens;
  const agentMax = caller.modelConfig.max_tokens;
  const output = call.body.outputBound?.tokens ?? (typeof agentMax === 'number' ? agentMax : null);
  const wanted = Math.min(output ?? policy.outputTokensReserved, policy.outputTokensReserved);
  for (const target of plan.targets) {
    const window = target.price?.contextTokens;
    // A bound by bytes is several times too high: it would trim prompts that fit.
    if (window === undefined || !deps.countsExactly(target)) continue;
    const reserved = Math.min(wanted, Math.floor(window / 2));
    tokens = Math.min(tokens, window - reserved);
  }
  return tokens;
}

function tooLarge(fitting: Extract<PromptFit, { fits: false }>, tokens: number): Refused {
  const { before, leastTokens } = fitting;
  return refuse(
    'context_length_exceeded',
    `The prompt has ${before} tokens and cannot be cut below ${leastTokens}; ` +
      `${tokens} are allowed.`,
    { param: 'messages', metadata: { tokens: before, least: leastTokens, allowed: tokens } },
  );
}

function write(
  body: CallBody,
  draft: Draft,
  fitting: Extract<PromptFit, { fits: true }>,
): CallBody {
  const made = draft.order.length > 1;
  if (made || fitting.report.trims.length > 0) {
    return fittedBody(body, draftMessages(draft, fitting.slots));
  }
  return body.members.has('purser') ? fittedBody(body) : body;
}
