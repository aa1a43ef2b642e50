// What a prompt would become: the same fitting as for a call, for an agent that an operator names,
// and nothing is sent.

import type { Caller, Plan } from '../../core/call.js';
import type { DirectorySnapshot } from '../../core/directory.js';
import { isRefused, type Refused, refuse } from '../../core/errors.js';
import type { Json, JsonObject } from '../../core/json.js';
import type { BudgetReport } from '../../core/prompt.js';
import { readChatCall } from '../../rules/dialects/chat-call.js';
import { type FitDeps, fitPrompt } from './fit.js';

export interface PreviewDeps {
  fit: FitDeps;
  plan(publicModel: string): Plan | Refused;
  snapshot(): DirectorySnapshot;
}

export interface PromptPreview {
  model: string;
  messages: Json;
  report: BudgetReport;
  template_id: string | null;
}

/** `body` is one of a chat completion; its model may be left to the agent. */
export async function previewPrompt(
  deps: PreviewDeps,
  agentId: string,
  body: JsonObject,
): Promise<PromptPreview | Refused> {
  const agent = deps.snapshot().agents.get(agentId);
  if (agent === undefined) return refuse('not_found', 'There is no such agent.');
  const { modelConfig, projectId } = agent;
  const full = {
    ...(typeof modelConfig.model === 'string' && { model: modelConfig.model }),
    messages: [{ role: 'user', content: '' }],
    purser: {},
    ...body,
  };
  const read = readChatCall(Buffer.from(JSON.stringify(full)));
  if (isRefused(read)) return read;
  const plan = deps.plan(read.model);
  if (isRefused(plan)) return plan;
  const caller: Caller = {
    keyId: '',
    attribution: { agentId, ...(projectId !== null && { projectId }) },
    allowedModels: null,
    modelConfig,
    envelopes: [],
  };
  const fitted = await fitPrompt(deps.fit, { operation: 'chat', body: read }, caller, plan);
  if (fitted === undefined || isRefused(fitted)) {
    return fitted ?? refuse('internal_error', 'The prompt was not fitted.');
  }
  return {
    model: read.model,
    messages: fitted.body.json.messages ?? [],
    report: fitted.report,
    template_id: fitted.templateId,
  };
}
