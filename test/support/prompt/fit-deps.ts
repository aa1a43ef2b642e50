// What the fitting step is given in tests: counts by a small exact counter, templates from a list.

import type { Call, Caller, Plan, Target } from '#src/core/call.js';
import { isRefused } from '#src/core/errors.js';
import type { JsonObject } from '#src/core/json.js';
import type { FitDeps } from '#src/flows/call/fit.js';
import { readChatCall } from '#src/rules/dialects/chat-call.js';
import { chatPieces, PUBLISHED_OVERHEADS } from '#src/rules/tokens/chat-pieces.js';
import type { AgentTexts, PromptTemplate } from '#src/stores/prompt/templates.js';
import { manualClock } from '../manual-clock.js';

export const countWords = (text: string): number => text.match(/\w+|[^\w\s]|\s+/gu)?.length ?? 0;

export function fitDeps(
  templates: readonly PromptTemplate[] = [],
  texts: Partial<AgentTexts> = {},
  count = countWords,
): FitDeps {
  return {
    clock: manualClock(0),
    piecesOf: (body) => chatPieces(body, 'gpt-4o', PUBLISHED_OVERHEADS),
    countEach: (pieces) => pieces.map(count),
    countsExactly: () => true,
    templates: {
      template: async (name) => templates.find((one) => one.name === name),
      agentTexts: async () => ({
        systemPrompt: '',
        memory: '',
        rulesFile: { kind: 'none' },
        ...texts,
      }),
    },
  };
}

export function chatCall(body: JsonObject | string): Pick<Call, 'operation' | 'body'> {
  const raw = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const read = readChatCall(raw);
  if (isRefused(read)) throw new Error(read.refused.message);
  return { operation: 'chat', body: read };
}

export function callerWith(modelConfig: JsonObject = {}): Caller {
  const attribution = { agentId: 'a1', projectId: 'p1' };
  return { keyId: 'k1', attribution, allowedModels: null, modelConfig, envelopes: [] };
}

export function planWith(contextTokens?: number): Plan {
  const price = contextTokens === undefined ? undefined : { contextTokens };
  const target = { id: 'openai/gpt-4o', model: 'gpt-4o', price } as Target;
  return { publicModel: 'gpt-4o', targets: [target] };
}

/** Tokens of a whole body, as the estimate counts them. */
export function tokensOf(json: JsonObject, count = countWords): number {
  const pieces = chatPieces(json, 'gpt-4o', PUBLISHED_OVERHEADS);
  return pieces.texts.reduce((sum, text) => sum + count(text), pieces.fixedTokens);
}
