// Scenario: a conversation of 200,000 tokens fitted to 32,000, as a call with `max_prompt_tokens`
// has it; and a prompt of one long text, which must be cut inside. From the second call on, when
// the counts are remembered; the body is parsed already. A block is the longest time for which
// nothing else of the process could run.

import type { Caller, Plan, Target } from '#src/core/call.js';
import { isRefused } from '#src/core/errors.js';
import type { JsonObject } from '#src/core/json.js';
import { realClock } from '#src/drivers/clock.js';
import { openTokenizer } from '#src/drivers/tokenizer.js';
import { type FitDeps, type Fitted, fitPrompt } from '#src/flows/call/fit.js';
import { readChatCall } from '#src/rules/dialects/chat-call.js';
import { chatPieces, PUBLISHED_OVERHEADS } from '#src/rules/tokens/chat-pieces.js';
import { createTokenCounts } from '#src/stores/token-counts.js';
import { heartbeat } from './support/heartbeat.js';

export interface FitRow {
  prompt: string;
  tokens: string;
  firstMs: number;
  /** Of the second call and those after it. */
  medianMs: number;
  worstMs: number;
  /** Longest blocks of the loop, one a call: their median and the worst of them. */
  blockMedianMs: number;
  blockWorstMs: number;
}

const WORDS = (
  'const budget function return the prompt token price of a call is held before it is sent and ' +
  'never more than what is left in every envelope await reservation if error null => { } ( ) ; ' +
  'Überlauf überprüfen 42 1_000 "quoted" test/unit/rules/prompt.ts'
).split(' ');

export async function fitBench(calls = 40): Promise<FitRow[]> {
  const tokenizer = openTokenizer({
    loopEncodings: ['o200k_base'],
    workerEncodings: ['o200k_base'],
  });
  tokenizer.loadLoop();
  tokenizer.warmWorker();
  const counts = createTokenCounts({ tokenizer });
  const deps: FitDeps = {
    clock: realClock,
    piecesOf: (body) => chatPieces(body, 'gpt-4o', PUBLISHED_OVERHEADS),
    countEach: (texts) => counts.countEach('o200k_base', texts),
    countsExactly: () => true,
    templates: {
      template: async () => undefined,
      agentTexts: () => Promise.reject(new Error('no agent here')),
    },
  };
  try {
    const rows: FitRow[] = [];
    for (const [prompt, messages] of Object.entries(prompts())) {
      rows.push(await measure(deps, prompt, messages, calls));
    }
    return rows;
  } finally {
    await tokenizer.close();
  }
}

function prompts(): Record<string, JsonObject[]> {
  const chat: JsonObject[] = [{ role: 'system', content: lines(400) }];
  for (let turn = 0; turn < 200; turn += 1) {
    const id = `call_${turn}`;
    const asked = { name: 'read', arguments: `{"path":"src/${turn}.ts"}` };
    chat.push(
      { role: 'user', content: lines(150) },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id, type: 'function', function: asked }],
      },
      { role: 'tool', tool_call_id: id, content: lines(500) },
      { role: 'assistant', content: lines(300) },
    );
  }
  chat.push({ role: 'user', content: lines(100) });
  return { conversation: chat, 'one long text': [{ role: 'user', content: lines(195_000) }] };
}

let word = 0;
/** About so many tokens of text in lines. */
function lines(tokens: number): string {
  let text = '';
  for (let count = 0; count < tokens * 0.745; count += 1) {
    word = (word * 1_103_515_245 + 12_345) % 2_147_483_648;
    text += `${WORDS[(word >>> 8) % WORDS.length]}${count % 11 === 10 ? '\n' : ' '}`;
  }
  return text;
}

async function measure(
  deps: FitDeps,
  prompt: string,
  messages: JsonObject[],
  calls: number,
): Promise<FitRow> {
  const body = { model: 'gpt-4o', messages, purser: { max_prompt_tokens: 32_000 } };
  const raw = Buffer.from(JSON.stringify(body));
  const times: number[] = [];
  const blocks: number[] = [];
  let last: Fitted | undefined;
  for (let call = 0; call < calls; call += 1) {
    // Every other call is timed without the heartbeat, which costs time itself.
    const beat = call % 2 === 1 ? heartbeat() : undefined;
    const read = readChatCall(raw);
    if (isRefused(read)) throw new Error(read.refused.message);
    await new Promise((resolve) => setImmediate(resolve));
    beat?.begin();
    const startMs = performance.now();
    const fitted = await fitPrompt(deps, { operation: 'chat', body: read }, CALLER, PLAN);
    const tookMs = performance.now() - startMs;
    if (beat) blocks.push(beat.end());
    else times.push(tookMs);
    if (fitted === undefined || isRefused(fitted)) throw new Error('it was not fitted');
    last = fitted;
  }
  const [firstMs = 0, ...later] = times;
  const { before, after } = last!.report;
  return {
    prompt,
    tokens: `${before} -> ${after}`,
    firstMs: round(firstMs),
    ...{ medianMs: median(later), worstMs: round(Math.max(...later)) },
    ...{
      blockMedianMs: median(blocks.slice(1)),
      blockWorstMs: round(Math.max(...blocks.slice(1))),
    },
  };
}

const CALLER: Caller = {
  keyId: 'bench',
  attribution: {},
  allowedModels: null,
  modelConfig: {},
  envelopes: [],
};
const TARGET = { id: 'openai/gpt-4o', model: 'gpt-4o', price: undefined } as Target;
const PLAN: Plan = { publicModel: 'gpt-4o', targets: [TARGET] };

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return round(sorted[sorted.length >>> 1] ?? 0);
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
