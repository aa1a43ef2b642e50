import { describe, expect, it } from 'vitest';
import type { CallBody } from '#src/core/call.js';
import { isRefused, type Refused } from '#src/core/errors.js';
import { completions } from '#src/rules/dialects/completions.js';
import { readCompletionsCall } from '#src/rules/dialects/completions-call.js';
import { embeddings } from '#src/rules/dialects/embeddings.js';
import { readEmbeddingsCall } from '#src/rules/dialects/embeddings-call.js';
import { messages } from '#src/rules/dialects/messages.js';
import { readCountTokensCall, readMessagesCall } from '#src/rules/dialects/messages-call.js';
import { responses } from '#src/rules/dialects/responses.js';
import { readResponsesCall } from '#src/rules/dialects/responses-call.js';
import { quirksOf } from '#src/rules/providers/providers.js';

type Reader = (raw: Buffer) => CallBody | Refused;

const bytes = (body: unknown) =>
  Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));

function refusal(read: Reader, body: unknown): string {
  const call = read(bytes(body));
  return isRefused(call) ? `${call.refused.code} ${call.refused.param ?? ''}`.trim() : 'read';
}

function called(read: Reader, body: unknown): CallBody {
  const call = read(bytes(body));
  if (isRefused(call)) throw new Error(call.refused.message);
  return call;
}

const written = (pieces: readonly Uint8Array[]) => Buffer.concat(pieces).toString();
const prompt = [{ role: 'user', content: 'hi' }];
const message = { model: 'claude', max_tokens: 9, messages: prompt };
const input = { model: 'gpt', input: 'hi' };

describe('a body is refused, and the member named', () => {
  const hi = [{ type: 'text', text: 'hi' }];
  const table: [Reader, unknown, string][] = [
    [readMessagesCall, message, 'read'],
    [readMessagesCall, { ...message, system: hi, tools: [{ name: 'a' }] }, 'read'],
    [readMessagesCall, { ...message, system: null, stream: null }, 'read'],
    [readMessagesCall, '{', 'invalid_json'],
    [readMessagesCall, '{"model":"a","model":"b"}', 'duplicate_key model'],
    [readMessagesCall, { ...message, model: 7 }, 'invalid_value model'],
    [readMessagesCall, { ...message, max_tokens: undefined }, 'invalid_value max_tokens'],
    [readMessagesCall, { ...message, max_tokens: 0 }, 'invalid_value max_tokens'],
    [readMessagesCall, { ...message, max_tokens: '9' }, 'invalid_value max_tokens'],
    [readMessagesCall, { ...message, messages: [] }, 'invalid_value messages'],
    [readMessagesCall, { ...message, messages: ['hi'] }, 'invalid_value messages[0]'],
    [
      readMessagesCall,
      { ...message, messages: [{ role: 'user' }] },
      'invalid_value messages[0].content',
    ],
    [readMessagesCall, { ...message, system: ['hi'] }, 'invalid_value system[0]'],
    [readMessagesCall, { ...message, stream: 'yes' }, 'invalid_value stream'],
    [readMessagesCall, { ...message, speed: 'fast' }, 'unsupported_parameter speed'],
    [readCountTokensCall, { model: 'claude', messages: prompt }, 'read'],
    [readResponsesCall, input, 'read'],
    [readResponsesCall, { model: 'gpt', previous_response_id: 'resp_1' }, 'read'],
    [readResponsesCall, { ...input, background: true }, 'unsupported_parameter background'],
    [readResponsesCall, { ...input, background: 'x' }, 'invalid_value background'],
    [readResponsesCall, { ...input, input: 7 }, 'invalid_value input'],
    [readResponsesCall, { ...input, input: [7] }, 'invalid_value input[0]'],
    [readResponsesCall, { ...input, max_output_tokens: 0.5 }, 'invalid_value max_output_tokens'],
    [readResponsesCall, { ...input, max_tool_calls: -1 }, 'invalid_value max_tool_calls'],
    [readCompletionsCall, { model: 'm', prompt: 'hi' }, 'read'],
    [readCompletionsCall, { model: 'm', prompt: [] }, 'invalid_value prompt'],
    [readCompletionsCall, { model: 'm', prompt: 'hi', best_of: 200 }, 'invalid_value best_of'],
    [readEmbeddingsCall, input, 'read'],
    [readEmbeddingsCall, { model: 'm' }, 'invalid_value input'],
    [readEmbeddingsCall, { ...input, stream: true }, 'unsupported_parameter stream'],
  ];
  it.each(table)('%o', (read, body, want) => {
    expect(refusal(read, body)).toBe(want);
  });
});

describe('what a body may be billed for', () => {
  it('has the bound of messages, the end user and a stream', () => {
    const call = called(readMessagesCall, {
      ...message,
      stream: true,
      metadata: { user_id: 'u1' },
    });
    expect(call).toMatchObject({ stream: true, wantsUsage: true, choices: 1, endUser: 'u1' });
    expect(call.outputBound).toEqual({ member: 'max_tokens', tokens: 9 });
    expect(call.hiddenOutput ?? call.cacheWrites ?? call.hostedTools).toBeUndefined();
  });

  it('is hidden where thinking or reasoning is asked for', () => {
    const hides = (read: Reader, body: object) => called(read, body).hiddenOutput === true;
    expect(hides(readMessagesCall, { ...message, thinking: { type: 'adaptive' } })).toBe(true);
    expect(hides(readMessagesCall, { ...message, thinking: { type: 'disabled' } })).toBe(false);
    expect(hides(readResponsesCall, { ...input, reasoning: { effort: 'low' } })).toBe(true);
    expect(hides(readResponsesCall, { ...input, reasoning: { effort: 'none' } })).toBe(false);
  });

  it('may be written to a cache wherever the member stands, even if it is spelled by escapes', () => {
    const block = { type: 'text', text: 'x', cache_control: { type: 'ephemeral' } };
    expect(called(readMessagesCall, { ...message, system: [block] }).cacheWrites).toBe(true);
    const escaped = JSON.stringify({ ...message, system: [block] }).replace('e_c', 'e\\u005fc');
    expect(called(readMessagesCall, escaped).cacheWrites).toBe(true);
  });

  it('counts runs of hosted tools of messages by their own bounds', () => {
    const tools = (...types: [string?, number?][]) =>
      called(readMessagesCall, {
        ...message,
        tools: types.map(([type, max_uses]) => ({ name: 'x', type, max_uses })),
      }).hostedTools;
    expect(tools([], ['custom'], ['bash_20250124'], ['memory_20250818'])).toBeUndefined();
    expect(tools(['web_search_20250305', 3], ['web_fetch_20250910', 2])).toEqual({
      callsMax: 5,
      webSearchesMax: 3,
    });
    expect(tools(['web_search_20250305'])).toEqual({ callsMax: null, webSearchesMax: null });
    expect(tools(['code_execution_20250825'])).toEqual({ callsMax: null, webSearchesMax: 0 });
    const mcp = { ...message, mcp_servers: [{ url: 'https://x' }] };
    expect(called(readMessagesCall, mcp).hostedTools?.callsMax).toBeNull();
  });

  it('counts runs of hosted tools of responses by `max_tool_calls`', () => {
    const tools = (types: object[], more = {}) =>
      called(readResponsesCall, { ...input, tools: types, ...more }).hostedTools;
    const own = [{ type: 'function' }, { type: 'custom' }, { type: 'shell' }];
    expect(tools(own)).toBeUndefined();
    expect(tools([{ type: 'namespace', tools: own }])).toBeUndefined();
    expect(tools([{ type: 'web_search' }])).toEqual({ callsMax: null, webSearchesMax: null });
    const bound = { max_tool_calls: 4 };
    expect(tools([{ type: 'web_search' }], bound)).toEqual({ callsMax: 4, webSearchesMax: 4 });
    expect(tools([{ type: 'mcp' }], bound)).toEqual({ callsMax: 4, webSearchesMax: 0 });
    expect(tools([{ type: 'shell', environment: { type: 'container' } }])?.callsMax).toBeNull();
  });

  it('has an answer of a completion for each prompt, and for each that is not shown', () => {
    const choices = (body: object) =>
      called(readCompletionsCall, { model: 'm', prompt: 'hi', ...body }).choices;
    expect(choices({})).toBe(1);
    expect(choices({ prompt: [1, 2, 3] })).toBe(1);
    expect(choices({ prompt: [[1], [2]], n: 2, best_of: 5 })).toBe(10);
  });

  it('has no output for embeddings', () => {
    expect(called(readEmbeddingsCall, input).outputBound?.tokens).toBe(0);
  });
});

describe('the request for a provider', () => {
  const edits = { model: 'real', bound: null, askUsage: true };
  const bound = { member: 'max_completion_tokens', tokens: 5 };

  it('has the bound in the one member that its wire format knows', () => {
    const body = bytes(
      '{"model":"m", "max_tokens":9,"x":1e400,"messages":[{"role":"user","content":"hi"}]}',
    );
    const call = called(readMessagesCall, body.toString());
    expect(written(messages.writeBody(call, { ...edits, bound }))).toBe(
      body.toString().replace('"m"', '"real"').replace('9', '5'),
    );
    const response = called(readResponsesCall, '{"model":"m","input":"hi","api_key":"x"}');
    expect(written(responses.writeBody(response, { ...edits, bound }))).toBe(
      '{"max_output_tokens":5,"model":"real","input":"hi"}',
    );
  });

  it('is sent the bound that was assumed of a completion, and none of embeddings', () => {
    const call = called(readCompletionsCall, '{"model":"m","prompt":"hi"}');
    expect(written(completions.writeBody(call, edits))).toBe(
      '{"max_tokens":16,"model":"real","prompt":"hi"}',
    );
    expect(written(completions.writeBody(call, { ...edits, bound }))).toContain('"max_tokens":5');
    const own = called(readCompletionsCall, '{"model":"m","prompt":"hi","max_tokens":7}');
    expect(written(completions.writeBody(own, edits))).toContain('"max_tokens":7');
    const embedded = called(readEmbeddingsCall, '{"model":"m","input":"hi"}');
    expect(written(embeddings.writeBody(embedded, { ...edits, bound }))).toBe(
      '{"model":"real","input":"hi"}',
    );
  });
});

describe('a whole answer', () => {
  it('of embeddings has input alone, from whichever count is told', () => {
    const read = (usage: { [key: string]: number }) =>
      embeddings.readAnswer({ model: 'm', data: [], usage }, quirksOf('openai')).usage;
    expect(read({ prompt_tokens: 8, total_tokens: 8 })).toMatchObject({ input: 8, output: 0 });
    expect(read({ total_tokens: 8 })).toMatchObject({ input: 8, output: 0, requests: 1 });
  });

  it('of a completion has its text', () => {
    const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };
    const choices = [{ index: 0, text: 'ja', finish_reason: 'length' }];
    const answer = completions.readAnswer({ choices, usage }, quirksOf('openai'));
    expect(answer).toMatchObject({ text: 'ja', finishReason: 'length', usage: { output: 2 } });
  });
});
