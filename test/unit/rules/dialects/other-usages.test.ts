import { describe, expect, it } from 'vitest';
import type { JsonObject } from '#src/core/json.js';
import type { Usage } from '#src/core/usage.js';
import { MessagesTally } from '#src/rules/dialects/messages-usage.js';
import { quirksOf } from '#src/rules/providers/providers.js';
import { DIALECTS, drive } from '../../../support/streams.js';

function tallied(...pieces: JsonObject[]): { usage: Usage | undefined; anomalies: string[] } {
  const tally = new MessagesTally();
  for (const piece of pieces) tally.add(piece);
  return { usage: tally.whole, anomalies: tally.anomalies };
}

const event = (type: string, more: object = {}) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
const start = (usage: JsonObject) => event('message_start', { message: { model: 'm', usage } });
const text = event('content_block_delta', { index: 0, delta: { text: 'abc' } });
const ended = (usage?: JsonObject) =>
  event('message_delta', { delta: { stop_reason: 'end_turn' }, usage });
const readMessages = (...events: string[]) =>
  drive('messages', [Buffer.from(events.join(''))]).reader;

describe('the usage of messages', () => {
  const told = { input_tokens: 11, cache_read_input_tokens: 5, output_tokens: 1 };

  it('is the maximum of each field, wherever a piece says less or nothing', () => {
    const less = { input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 9 };
    expect(tallied(told, less).usage).toMatchObject({ input: 11, cachedRead: 5, output: 9 });
    expect(tallied(less, told).usage).toMatchObject({ input: 11, cachedRead: 5, output: 9 });
    const nulls = { input_tokens: null, cache_read_input_tokens: null, output_tokens: 9 };
    expect(tallied(told, nulls)).toMatchObject({ usage: { input: 11, output: 9 }, anomalies: [] });
  });

  it('takes an explicit zero for zero, and what is absent for unknown', () => {
    expect(tallied({ input_tokens: 0, output_tokens: 0 }).usage).toMatchObject({ input: 0 });
    expect(tallied({ input_tokens: 3 }).usage).toBeUndefined();
    expect(tallied({ output_tokens: 3 }).usage).toBeUndefined();
  });

  it.each([
    ['-1', { input_tokens: -1, output_tokens: 1 }, 'input_tokens: -1'],
    ['1.5', { input_tokens: 1, output_tokens: 1.5 }, 'output_tokens: 1.5'],
    ['text', { input_tokens: '7', output_tokens: 1 }, 'input_tokens: "7"'],
    ['too much', { input_tokens: 1, output_tokens: 1e13 }, 'output_tokens: 10000000000000'],
  ] as [string, JsonObject, string][])('refuses a count of %s by its name', (_, usage, anomaly) => {
    expect(tallied(usage)).toEqual({ usage: undefined, anomalies: [anomaly] });
  });

  it('tells five minutes from an hour, and takes the rest for the dearer that was asked for', () => {
    const writes = (all: number, five: number, hour: number) => {
      const creation = { ephemeral_5m_input_tokens: five, ephemeral_1h_input_tokens: hour };
      const usage = { ...told, cache_creation_input_tokens: all, cache_creation: creation };
      const { usage: read, anomalies } = tallied(usage);
      return [read?.cacheWrite5m, read?.cacheWrite1h, anomalies.length];
    };
    expect(writes(30, 10, 20)).toEqual([10, 20, 0]);
    expect(writes(30, 0, 0)).toEqual([30, 0, 0]);
    expect(writes(30, 10, 0)).toEqual([30, 0, 0]);
    expect(writes(30, 0, 10)).toEqual([0, 30, 0]);
    expect(writes(30, 5, 10)).toEqual([5, 25, 1]);
    expect(writes(5, 5, 10)).toEqual([5, 10, 1]);
  });

  it('marks what it cannot price', () => {
    const { anomalies } = tallied({
      ...told,
      speed: 'fast',
      inference_geo: 'us',
      output_tokens_details: { thinking_tokens: 4 },
      server_tool_use: { web_search_requests: 1, code_execution_requests: 2 },
      iterations: [{ type: 'advisor_message', model: 'other', input_tokens: 5, output_tokens: 5 }],
    });
    expect(anomalies.sort()).toEqual([
      'inference_geo: us was priced as global',
      'iterations: other was priced as the main model',
      'server_tool_use.code_execution_requests: its fee is not priced',
      'speed: fast was priced as standard',
    ]);
    const thinking = { ...told, output_tokens_details: { thinking_tokens: 4 } };
    expect(tallied(thinking)).toEqual({
      usage: expect.objectContaining({ output: 1, reasoning: 0 }),
      anomalies: ['thinking_tokens: 4 of 1 output tokens'],
    });
  });

  it('is whole once the output is told, and no longer where output comes after it', () => {
    const usage = { output_tokens: 4 };
    expect(readMessages(start(told), text).usage).toBeUndefined();
    expect(readMessages(start(told), text).inputUsage).toMatchObject({ input: 11, output: 0 });
    expect(readMessages(start(told), text, ended(usage)).usage?.output).toBe(4);
    expect(readMessages(start(told), text, ended(usage), text).usage).toBeUndefined();
    expect(readMessages(start(told), text, ended()).usage).toBeUndefined();
    expect(readMessages(start(told), text, ended({ output_tokens: -1 })).usage).toBeUndefined();
  });
});

describe('the usage of responses', () => {
  const usage = { input_tokens: 3, output_tokens: 4, total_tokens: 7 };
  const search = (action?: JsonObject) => ({
    type: 'web_search_call',
    ...(action && { action }),
  });
  const output = [
    search({ type: 'search', query: 'q' }),
    search({ type: 'open_page' }),
    search({ type: 'find_in_page' }),
    search(),
  ];
  const read = (json: JsonObject) => DIALECTS.responses.readAnswer(json, quirksOf('openai'));

  it('has a fee for each search, and none for opening pages and looking in them', () => {
    expect(read({ status: 'completed', output, usage }).usage?.webSearches).toBe(2);
    const items = output.map((item, at) =>
      event('response.output_item.done', { output_index: at, item }),
    );
    const end = event('response.completed', { response: { status: 'completed', usage } });
    const { reader } = drive('responses', [Buffer.from(items.join('') + end)]);
    expect(reader.usage?.webSearches).toBe(2);
  });

  it('marks what it cannot price, and names refused counts as they were told', () => {
    const items = [{ type: 'file_search_call' }, { type: 'image_generation_call', result: 'x' }];
    const told = read({ output: items, usage, service_tier: 'priority' });
    expect([...told.anomalies].sort()).toEqual([
      'file_search_call: its fee is not priced',
      'image_generation_call: is not priced',
    ]);
    const bad = read({ output: [], usage: { ...usage, input_tokens: -1 } });
    expect([bad.usage, bad.anomalies]).toEqual([undefined, ['input_tokens: -1']]);
  });
});

describe('a text of responses that came in pieces', () => {
  it('is closed with all of them', () => {
    const item = { id: 'fc', type: 'function_call', name: 'f', arguments: '' };
    const type = 'response.function_call_arguments.delta';
    const events =
      event('response.output_item.added', { output_index: 0, item }) +
      event(type, { output_index: 0, item_id: 'fc', delta: '{"a"' }) +
      event(type, { output_index: 0, item_id: 'fc', delta: ':1' });
    const { reader } = drive('responses', [Buffer.from(events)]);
    const usage = tallied({ input_tokens: 1, output_tokens: 1 }).usage!;
    const ending = DIALECTS.responses.writeCut(reader, { usage, comment: 'x', purser: {} });
    expect(ending.toString()).toContain('"arguments":"{\\"a\\":1"');
  });
});
