// The real clients of the field against the whole gateway: each streams, calls tools, leaves, and
// is cut where its budget ends; what it sees of the cut is what it would see of a model's bound.

import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import Anthropic from '@anthropic-ai/sdk';
import { ChatOpenAI } from '@langchain/openai';
import { Agent, tool as agentTool, OpenAIProvider, Runner } from '@openai/agents';
import { type LanguageModel, stepCountIs, streamText, tool } from 'ai';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type Story, startStory } from '../support/gateway.js';
import { WIRES } from '../support/meter/wires.js';
import type { Format } from '../support/transcripts.js';

/** What a client tells its user of one answer. */
interface Seen {
  text: string;
  /** Why it ended, in the client's own words. */
  finish: unknown;
  outputTokens: number | undefined;
}

interface Way {
  url: string;
  key: string;
  model: string;
  signal?: AbortSignal;
  /** Called with each piece of text. */
  onText?: () => void;
}

interface Client {
  name: string;
  format: Format;
  stream(way: Way): Promise<Seen>;
  /** Asks with the tool `size` and answers the arguments that it was called with. */
  callTool(way: Way): Promise<unknown>;
  /** Its word for an answer that ended at a bound; an error where it takes that for a failure. */
  finishOfCut: unknown;
}

const PROMPT = 'How big is it?';
const SIZE = { of: 'Köln' };
const PARAMETERS = {
  type: 'object' as const,
  properties: { of: { type: 'string' } },
  required: ['of'],
  additionalProperties: false,
};
const DESCRIBED = { name: 'size', description: 'How big something is.' };

const openaiChat: Client = {
  name: 'openai, chat completions',
  format: 'chat',
  finishOfCut: 'length',
  async stream({ url, key, model, signal, onText }) {
    const client = new OpenAI({ apiKey: key, baseURL: `${url}/v1` });
    const messages = [{ role: 'user' as const, content: PROMPT }];
    const body = { model, messages, stream_options: { include_usage: true } };
    const stream = client.chat.completions.stream(body, { ...(signal && { signal }) });
    stream.on('content', () => onText?.());
    const answer = await stream.finalChatCompletion();
    const [choice] = answer.choices;
    return {
      text: choice?.message.content ?? '',
      finish: choice?.finish_reason,
      outputTokens: answer.usage?.completion_tokens,
    };
  },
  async callTool({ url, key, model }) {
    const client = new OpenAI({ apiKey: key, baseURL: `${url}/v1` });
    const tools = [
      { type: 'function' as const, function: { ...DESCRIBED, parameters: PARAMETERS } },
    ];
    const messages = [{ role: 'user' as const, content: PROMPT }];
    const message = await client.chat.completions.stream({ model, messages, tools }).finalMessage();
    const [call] = message.tool_calls ?? [];
    return JSON.parse(call?.type === 'function' ? call.function.arguments : 'null');
  },
};

const openaiResponses: Client = {
  name: 'openai, responses',
  format: 'responses',
  finishOfCut: 'max_output_tokens',
  async stream({ url, key, model, signal, onText }) {
    const client = new OpenAI({ apiKey: key, baseURL: `${url}/v1` });
    const stream = client.responses.stream({ model, input: PROMPT }, { ...(signal && { signal }) });
    stream.on('response.output_text.delta', () => onText?.());
    const answer = await stream.finalResponse();
    return {
      text: answer.output_text,
      finish: answer.incomplete_details?.reason ?? answer.status,
      outputTokens: answer.usage?.output_tokens,
    };
  },
  async callTool({ url, key, model }) {
    const client = new OpenAI({ apiKey: key, baseURL: `${url}/v1` });
    const tools = [
      { type: 'function' as const, ...DESCRIBED, parameters: PARAMETERS, strict: true },
    ];
    const answer = await client.responses.stream({ model, input: PROMPT, tools }).finalResponse();
    const call = answer.output.find((item) => item.type === 'function_call');
    return JSON.parse(call?.arguments ?? 'null');
  },
};

const anthropic: Client = {
  name: '@anthropic-ai/sdk',
  format: 'messages',
  finishOfCut: 'max_tokens',
  async stream({ url, key, model, signal, onText }) {
    const client = new Anthropic({ apiKey: key, baseURL: url });
    const messages = [{ role: 'user' as const, content: PROMPT }];
    const body = { model, max_tokens: 100_000, messages };
    const stream = client.messages.stream(body, { ...(signal && { signal }) });
    stream.on('text', () => onText?.());
    const message = await stream.finalMessage();
    return {
      text: message.content.map((part) => (part.type === 'text' ? part.text : '')).join(''),
      finish: message.stop_reason,
      outputTokens: message.usage.output_tokens,
    };
  },
  async callTool({ url, key, model }) {
    const client = new Anthropic({ apiKey: key, baseURL: url });
    const tools = [{ ...DESCRIBED, input_schema: PARAMETERS }];
    const messages = [{ role: 'user' as const, content: PROMPT }];
    const stream = client.messages.stream({ model, max_tokens: 1_000, messages, tools });
    const { content } = await stream.finalMessage();
    return content.find((part) => part.type === 'tool_use')?.input;
  },
};

/** `ai` with one of its providers. */
function aiClient(
  name: string,
  format: Format,
  modelOf: (way: Way) => LanguageModel,
  bound: { maxOutputTokens?: number } = {},
): Client {
  return {
    name: `ai, ${name}`,
    format,
    finishOfCut: 'length',
    async stream(way) {
      const { signal } = way;
      const result = streamText({
        model: modelOf(way),
        prompt: PROMPT,
        ...bound,
        ...(signal && { abortSignal: signal }),
      });
      let text = '';
      for await (const part of result.fullStream) {
        if (part.type === 'error') throw part.error;
        if (part.type === 'abort') throw new Error('aborted');
        if (part.type !== 'text-delta') continue;
        text += part.text;
        way.onText?.();
      }
      const usage = await result.usage;
      return { text, finish: await result.finishReason, outputTokens: usage.outputTokens };
    },
    async callTool(way) {
      let called: unknown;
      const size = tool({
        description: DESCRIBED.description,
        inputSchema: z.object({ of: z.string() }),
        execute: async (input) => {
          called = input;
          return 'big';
        },
      });
      const stopWhen = stepCountIs(1);
      const model = modelOf(way);
      const result = streamText({ model, prompt: PROMPT, tools: { size }, stopWhen, ...bound });
      await result.consumeStream();
      return called;
    },
  };
}

const aiOpenai = aiClient('@ai-sdk/openai', 'responses', ({ url, key, model }) =>
  createOpenAI({ apiKey: key, baseURL: `${url}/v1` })(model),
);
const aiAnthropic = aiClient(
  '@ai-sdk/anthropic',
  'messages',
  ({ url, key, model }) => createAnthropic({ apiKey: key, baseURL: `${url}/v1` })(model),
  { maxOutputTokens: 100_000 },
);
const aiCompatible = aiClient('@ai-sdk/openai-compatible', 'chat', ({ url, key, model }) =>
  createOpenAICompatible({
    name: 'purser',
    apiKey: key,
    baseURL: `${url}/v1`,
    includeUsage: true,
  })(model),
);

type Piece = Awaited<ReturnType<ChatOpenAI['stream']>> extends AsyncIterable<infer T> ? T : never;

const langchain: Client = {
  name: '@langchain/openai',
  format: 'chat',
  finishOfCut: 'length',
  async stream({ url, key, model, signal, onText }) {
    const configuration = { baseURL: `${url}/v1` };
    const chat = new ChatOpenAI({ model, apiKey: key, configuration, maxRetries: 0 });
    let whole: Piece | undefined;
    for await (const chunk of await chat.stream(PROMPT, { ...(signal && { signal }) })) {
      whole = whole ? whole.concat(chunk) : chunk;
      if (chunk.content !== '') onText?.();
    }
    return {
      text: String(whole?.content ?? ''),
      finish: whole?.response_metadata.finish_reason,
      outputTokens: (whole?.usage_metadata as { output_tokens: number } | undefined)?.output_tokens,
    };
  },
  async callTool({ url, key, model }) {
    const configuration = { baseURL: `${url}/v1` };
    const chat = new ChatOpenAI({ model, apiKey: key, configuration, maxRetries: 0 });
    const tools = [{ type: 'function', function: { ...DESCRIBED, parameters: PARAMETERS } }];
    let whole: Piece | undefined;
    for await (const chunk of await chat.bindTools(tools).stream(PROMPT)) {
      whole = whole ? whole.concat(chunk) : chunk;
    }
    return whole?.tool_calls?.[0]?.args;
  },
};

function agents(format: 'chat' | 'responses'): Client {
  const runnerOf = ({ url, key }: Way) => {
    const useResponses = format === 'responses';
    const modelProvider = new OpenAIProvider({ apiKey: key, baseURL: `${url}/v1`, useResponses });
    return new Runner({ modelProvider, tracingDisabled: true });
  };
  return {
    name: `@openai/agents, ${format}`,
    format,
    // It tells no reason of chat completions, and lets no incomplete response pass.
    finishOfCut: format === 'chat' ? undefined : new Error('response.incomplete'),
    async stream(way) {
      const agent = new Agent({ name: 'a', instructions: 'Answer.', model: way.model });
      const { signal } = way;
      const result = await runnerOf(way).run(agent, PROMPT, {
        stream: true,
        ...(signal && { signal }),
      });
      let text = '';
      for await (const event of result) {
        if (event.type !== 'raw_model_stream_event') continue;
        if (event.data.type !== 'output_text_delta') continue;
        text += event.data.delta;
        way.onText?.();
      }
      if (signal?.aborted) throw new Error('aborted');
      await result.completed;
      return { text, finish: undefined, outputTokens: result.state.usage.outputTokens };
    },
    async callTool(way) {
      let called: unknown;
      const size = agentTool({
        ...DESCRIBED,
        parameters: z.object({ of: z.string() }),
        execute: async (input) => {
          called = input;
          return 'big';
        },
      });
      const agent = new Agent({
        ...{ name: 'a', instructions: 'Answer.', model: way.model, tools: [size] },
        toolUseBehavior: 'stop_on_first_tool',
      });
      const result = await runnerOf(way).run(agent, PROMPT, { stream: true });
      await result.completed;
      return called;
    },
  };
}

const CLIENTS: readonly Client[] = [
  ...[openaiChat, openaiResponses, anthropic, aiOpenai, aiAnthropic, aiCompatible, langchain],
  ...[agents('responses'), agents('chat')],
];

let story: Story;
beforeAll(async () => {
  story = await startStory({
    config: {
      prices: {
        'scripted/model': { input: 1, output: 4 },
        'claude/model': { input: 1, output: 4 },
      },
    },
    dialects: { claude: 'anthropic' },
  });
});
afterAll(() => story.end());

/** A key of its own, with so much to spend. */
async function spender(usd: string): Promise<string> {
  const name = `spender-${Math.floor(performance.now() * 1000)}`;
  const post = async (path: string, body: object) => {
    const answer = await story.admin('POST', path, body);
    expect(answer.status).toBe(201);
    return (await answer.json()) as { id: string; key: string };
  };
  const { id } = await post('/agents', { name, type: 'coder' });
  const limit = { scope_type: 'agent', scope_id: id, action_on_exceed: 'block' };
  await post('/limits', { ...limit, amount_usd: usd, period: 'daily' });
  const { key } = await post('/keys', { name, kind: 'agent', agent_id: id });
  return key;
}

describe.each(CLIENTS)('$name', (client) => {
  const wire = WIRES[client.format];
  const way = (): Way => ({
    url: story.url,
    key: story.key,
    model: `${wire.provider}/model`,
  });
  let rowsBefore = 0;
  beforeEach(async () => {
    rowsBefore = (await story.rows()).length;
  });

  test('streams', async () => {
    const body = wire.text(['Tall, ', 'as ', 'a tree.'], { input: 9, output: 7 }).join('');
    story.upstream.enqueue({ body, cuts: { seed: 4, count: 30 } });
    const seen = await client.stream(way());
    expect(seen.text).toBe('Tall, as a tree.');
    expect(seen.outputTokens).toBe(7);
    const row = (await story.rows()).at(-1);
    expect(row).toMatchObject({ tokens_in: 9, tokens_out: 7, outcome: 'completed' });
  });

  test('calls tools', async () => {
    const pieces = ['{"of"', ':"Kö', 'ln"}'];
    const body = wire.tool('size', pieces, { input: 30, output: 12 }).join('');
    story.upstream.enqueue({ body, cuts: { seed: 6, count: 30 } });
    expect(await client.callTool(way())).toEqual(SIZE);
    expect(story.upstream.requests.at(-1)?.body).toContain('"size"');
    expect((await story.rows()).at(-1)).toMatchObject({ tokens_in: 30, tokens_out: 12 });
  });

  test('leaves, and ends the call upstream', async () => {
    const words = Array.from({ length: 400 }, (_, i) => ` word${i}`);
    const events = wire.text(words, { input: 9, output: 800 });
    story.upstream.enqueue({ body: events.join(''), cuts: { seed: 2, count: 200 }, paceMs: 5 });
    const leaving = new AbortController();
    let pieces = 0;
    const onText = () => {
      pieces += 1;
      if (pieces === 5) leaving.abort();
    };
    const call = client.stream({ ...way(), signal: leaving.signal, onText });
    await expect(call).rejects.toThrow();
    const request = await story.upstream.closed(story.upstream.requests.length - 1);
    expect(request.complete).toBe(false);
    await expect.poll(async () => (await story.rows()).length).toBe(rowsBefore + 1);
    const row = (await story.rows()).at(-1)!;
    expect(row.outcome).toBe('client_left');
    expect(Number(row.tokens_out)).toBeGreaterThan(0);
  });

  test('is cut where its budget ends, and takes it for the model’s bound', async () => {
    const words = Array.from({ length: 3_000 }, (_, i) => ` word${i}`);
    const events = wire.text(words, { input: 9, output: 6_000 });
    story.upstream.enqueue({ body: events.join(''), cuts: { seed: 3, count: 300 } });
    const before = story.upstream.requests.length;
    let passed = 0;
    const onText = () => {
      passed += 1;
    };
    const call = client.stream({ ...way(), key: await spender('0.004'), onText });
    const { finishOfCut } = client;
    const seen = finishOfCut instanceof Error ? undefined : await call;
    if (finishOfCut instanceof Error) await expect(call).rejects.toThrow(finishOfCut.message);
    // Nobody asks again.
    expect(story.upstream.requests.length).toBe(before + 1);
    const row = (await story.rows()).at(-1)!;
    expect(row.outcome).toBe('cut_by_budget');
    // 4 USD a million tokens: some less than 1,000, of which each word has two.
    expect(passed).toBeGreaterThan(100);
    expect(Number(row.cost_usd)).toBeGreaterThan(0.0039);
    expect(Number(row.cost_usd)).toBeLessThan(0.00402);
    if (!seen) return;
    expect(seen.finish).toBe(finishOfCut);
    expect(seen.text.startsWith(' word0 word1 ')).toBe(true);
    expect(seen.outputTokens).toBe(Number(row.tokens_out));
  });
});
