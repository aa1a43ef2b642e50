// A stream that is cut anywhere ends as its provider would have ended it, and the clients see the
// model's own bound, not a failure.

import OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import { isJsonObject, type JsonObject, parseOwnJson } from '#src/core/json.js';
import { NO_USAGE } from '#src/core/usage.js';
import { completions } from '#src/rules/dialects/completions.js';
import { quirksOf } from '#src/rules/providers/providers.js';
import { answering } from '../../../support/sdk-fetch.js';
import { seeded } from '../../../support/seeded.js';
import { DIALECTS, drive } from '../../../support/streams.js';
import {
  type Format,
  ownTranscripts,
  recordedTranscripts,
  streamsOf,
} from '../../../support/transcripts.js';

const CUTS = 40;
const usage = { ...NO_USAGE, input: 70, cachedRead: 30, cacheWrite1h: 5, output: 8, reasoning: 4 };
const purser = { terminated_by: 'budget', envelope: 'global' };
const CUT = { usage, comment: 'purser cost_usd=0.1', purser };
const FORMATS: Format[] = ['chat', 'messages', 'responses'];

/** The beginning of a stream through its reader, and the ending of ours. */
function cutAt(format: Format, bytes: Buffer, at: number, provider = 'openai') {
  const quirks = quirksOf(provider);
  const reader = DIALECTS[format].createReader({ wantsUsage: true, quirks });
  const out = Buffer.concat([...reader.push(bytes.subarray(0, at))]);
  const ending = DIALECTS[format].writeCut(reader, CUT);
  return { reader, out, ending, whole: Buffer.concat([out, ending]) };
}

function eventsIn(bytes: Buffer): JsonObject[] {
  const events: JsonObject[] = [];
  for (const block of bytes.toString('utf8').split(/\r\n\r\n|\n\n|\r\r/)) {
    const lines = block.split(/\r\n|\n|\r/).filter((line) => line.startsWith('data:'));
    const told = lines.map((line) => line.slice(5).replace(/^ /, '')).join('\n');
    if (told !== '' && told !== '[DONE]') events.push(parseOwnJson<JsonObject>(told));
  }
  return events;
}

const objects = (value: unknown) => (Array.isArray(value) ? value.filter(isJsonObject) : []);

const EXPECT: Record<Format, (events: JsonObject[], ending: Buffer) => void> = {
  chat(events, ending) {
    const finished = new Map<unknown, unknown>();
    for (const choice of events.flatMap((event) => objects(event.choices))) {
      finished.set(choice.index, choice.finish_reason ?? finished.get(choice.index) ?? null);
    }
    expect([...finished.values()].every((reason) => typeof reason === 'string')).toBe(true);
    expect(finished.size).toBeGreaterThan(0);
    expect(ending.toString().endsWith(`: ${CUT.comment}\ndata: [DONE]\n\n`)).toBe(true);
  },
  messages(events, ending) {
    expect(events[0]?.type).toBe('message_start');
    const open = new Set<unknown>();
    for (const { type, index } of events) {
      if (type === 'content_block_start') expect(open.has(index)).toBe(false);
      if (type === 'content_block_stop') expect(open.delete(index)).toBe(true);
      if (type === 'content_block_start') open.add(index);
    }
    expect(open.size).toBe(0);
    const deltas = events.filter(({ type }) => type === 'message_delta');
    expect(isJsonObject(deltas.at(-1)?.delta) && deltas.at(-1)?.delta).toHaveProperty(
      'stop_reason',
    );
    expect(events.filter(({ type }) => type === 'message_stop')).toHaveLength(1);
    expect(ending.toString()).toContain(`: ${CUT.comment}\nevent: message_stop\n`);
  },
  responses(events, ending) {
    const numbers = events.flatMap(({ sequence_number: number }) =>
      number === undefined ? [] : [number],
    );
    expect(numbers).toEqual(numbers.map((_, i) => i));
    const added = events.filter(({ type }) => type === 'response.output_item.added');
    const done = events.filter(({ type }) => type === 'response.output_item.done');
    const places = (list: JsonObject[]) => list.map((event) => event.output_index);
    expect(places(done).sort()).toEqual(places(added).sort());
    for (const part of ['content_part', 'reasoning_summary_part']) {
      const count = (step: string) =>
        events.filter(({ type }) => type === `response.${part}.${step}`).length;
      expect(count('done')).toBe(count('added'));
    }
    const last = events.at(-1)!;
    expect(last.type).toBe('response.incomplete');
    const { response } = last as { response: JsonObject };
    expect(response.output).toEqual(done.map(({ item }) => item));
    expect(ending.toString()).toContain(`: ${CUT.comment}\nevent: response.incomplete\n`);
  },
};

describe.each(FORMATS)('a stream of %s that is cut', (format) => {
  const transcripts = [...ownTranscripts(format), ...recordedTranscripts(format)];

  it.each(transcripts)('$name is closed as a whole, wherever that is', ({ bytes, provider }) => {
    const [stream] = streamsOf(bytes);
    for (let seed = 0; seed < CUTS; seed++) {
      const at = 1 + seeded(seed).below(stream!.length - 1);
      const { reader, whole, ending } = cutAt(format, stream!, at, provider);
      if (reader.terminated || reader.sawChoiceFinished || reader.failure) continue;
      EXPECT[format](eventsIn(whole), ending);
    }
  });
});

describe.each(FORMATS)('an event of %s that was read and did not go out', (format) => {
  const transcripts = [...ownTranscripts(format), ...recordedTranscripts(format)];

  it.each(transcripts)('is not in the ending: $name', ({ bytes, provider }) => {
    const [stream] = streamsOf(bytes);
    const blocks = stream!.toString('latin1').match(/[\s\S]*?(?:\r\n\r\n|\n\n|\r\r)/g) ?? [];
    const options = { wantsUsage: true, quirks: quirksOf(provider) };
    const events = blocks.slice(0, 60).map((block) => Buffer.from(block, 'latin1'));
    const endingAfter = (count: number, isRetracted: boolean) => {
      const reader = DIALECTS[format].createReader(options);
      for (const event of events.slice(0, count)) reader.push(event);
      if (isRetracted) reader.retract();
      return DIALECTS[format].writeCut(reader, CUT).toString();
    };
    const ended = drive(format, [stream!], provider).reader.terminated;
    // The terminator itself is held back anyway.
    const last = ended && blocks.length <= 60 ? events.length - 1 : events.length;
    for (let count = 1; count <= last; count++) {
      expect(endingAfter(count, true), `${events[count - 1]}`).toBe(endingAfter(count - 1, false));
    }
  });
});

describe('the ending of a cut', () => {
  const [chatText] = ownTranscripts('chat').filter(({ name }) => name.startsWith('openai-padded'));
  const everything = ownTranscripts('responses').find(({ name }) => name.includes('everything'))!;
  const cache = ownTranscripts('messages').find(({ name }) => name.includes('cache-tools'))!;
  const find = (bytes: Buffer, text: string) => bytes.indexOf('\n\n', bytes.indexOf(text)) + 2;

  it('of chat is one chunk with `length`, usage and what ended it', () => {
    const head = { id: 'c', object: 'chat.completion.chunk', created: 7, model: 'm' };
    const of = (index: number, finish_reason: string | null) =>
      `data: ${JSON.stringify({ ...head, choices: [{ index, delta: { content: 'a' }, finish_reason }] })}\n\n`;
    const bytes = Buffer.from(of(0, null) + of(1, 'stop') + of(2, null));
    const { ending } = cutAt('chat', bytes, bytes.length);
    const ended = { delta: {}, logprobs: null, finish_reason: 'length' };
    expect(eventsIn(ending)).toEqual([
      {
        ...head,
        choices: [
          { index: 0, ...ended },
          { index: 2, ...ended },
        ],
        usage: {
          prompt_tokens: 105,
          completion_tokens: 12,
          total_tokens: 117,
          prompt_tokens_details: { cached_tokens: 30, audio_tokens: 0 },
          completion_tokens_details: { reasoning_tokens: 4, audio_tokens: 0 },
        },
        purser,
      },
    ]);
    const whole = Buffer.from(of(0, 'stop'));
    expect(cutAt('chat', whole, whole.length).ending.toString()).toBe(
      ': purser cost_usd=0.1\ndata: [DONE]\n\n',
    );
  });

  it('of a legacy completion has text for a delta', () => {
    const reader = completions.createReader({ wantsUsage: false, quirks: quirksOf('vllm') });
    const chunk = { id: 'c', object: 'text_completion', choices: [{ index: 0, text: 'a' }] };
    reader.push(Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`));
    const [event] = eventsIn(completions.writeCut(reader, CUT));
    expect(event?.choices).toEqual([
      { index: 0, text: '', logprobs: null, finish_reason: 'length' },
    ]);
    expect(event?.object).toBe('text_completion');
  });

  it('of messages stops the open block and tells usage in its own words', () => {
    const { ending } = cutAt('messages', cache.bytes, find(cache.bytes, '日本'));
    expect(eventsIn(ending)).toEqual([
      { type: 'content_block_stop', index: 1 },
      {
        type: 'message_delta',
        delta: { stop_reason: 'max_tokens', stop_sequence: null },
        usage: {
          input_tokens: 70,
          cache_creation_input_tokens: 5,
          cache_read_input_tokens: 30,
          output_tokens: 12,
        },
        purser,
      },
      { type: 'message_stop' },
    ]);
  });

  it('of responses closes the text, its part and its item with what has come', () => {
    const at = find(everything.bytes, '"delta":"ja');
    const { ending } = cutAt('responses', everything.bytes, at);
    const events = eventsIn(ending);
    const part = { type: 'output_text', text: 'ja\u2028', annotations: [] };
    expect(events.slice(0, 3)).toMatchObject([
      { type: 'response.output_text.done', text: 'ja\u2028', item_id: 'msg_1', content_index: 0 },
      { type: 'response.content_part.done', part, output_index: 3 },
      { type: 'response.output_item.done', item: { status: 'incomplete', content: [part] } },
    ]);
    expect(events[3]?.response).toMatchObject({
      id: 'resp_1',
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      usage: { input_tokens: 105, output_tokens: 12, total_tokens: 117 },
      purser,
    });
    expect(events.map(({ sequence_number: number }) => number)).toEqual([19, 20, 21, 22]);
  });

  it('of a function call has the arguments that have come', () => {
    const at = find(everything.bytes, '"delta":"{');
    const [args, item] = eventsIn(cutAt('responses', everything.bytes, at).ending);
    expect(args).toMatchObject({
      type: 'response.function_call_arguments.done',
      arguments: '{"of":',
    });
    expect(item).toMatchObject({
      item: { name: 'size', arguments: '{"of":', status: 'incomplete' },
    });
  });

  it('is read by the client of chat completions as the model’s bound', async () => {
    const at = find(chatText!.bytes, '"content":"') + 400;
    const { whole } = cutAt('chat', chatText!.bytes, at);
    const client = new OpenAI({ apiKey: 'x', fetch: answering(whole), maxRetries: 0 });
    const stream = client.chat.completions.stream({ model: 'm', messages: [] });
    const answer = await stream.finalChatCompletion();
    expect(answer.choices[0]?.finish_reason).toBe('length');
    expect(answer.usage?.total_tokens).toBe(117);
  });

  it('is read by the client of responses as the model’s bound', async () => {
    for (const text of ['"delta":"ja', '"delta":"{', '"delta":"Gr']) {
      const { whole } = cutAt('responses', everything.bytes, find(everything.bytes, text));
      const client = new OpenAI({ apiKey: 'x', fetch: answering(whole), maxRetries: 0 });
      const stream = client.responses.stream({ model: 'm', input: 'hi' });
      const answer = await stream.finalResponse();
      expect(answer.status).toBe('incomplete');
      expect(answer.incomplete_details?.reason).toBe('max_output_tokens');
      expect(answer.usage?.total_tokens).toBe(117);
    }
  });
});

describe('a failure', () => {
  const problem = { code: 'upstream_error' as const, message: 'It broke off.' };

  it('goes on with the numbering of responses and fails in its client', async () => {
    const everything = ownTranscripts('responses').find(({ name }) => name.includes('everything'))!;
    const { reader, out } = cutAt('responses', everything.bytes, 2_000);
    const failure = DIALECTS.responses.writeFailure(problem, reader);
    const before = eventsIn(out).length;
    const event = eventsIn(failure)[0];
    expect(event).toMatchObject({
      type: 'error',
      sequence_number: before,
      message: problem.message,
    });
    const fetch = answering(Buffer.concat([out, failure]));
    const client = new OpenAI({ apiKey: 'x', fetch, maxRetries: 0 });
    const events = await client.responses.create({ model: 'm', input: 'hi', stream: true });
    const seen: unknown[] = [];
    const all = async () => {
      for await (const each of events) seen.push(each);
    };
    await expect(all()).rejects.toMatchObject({ code: 'upstream_error', message: /broke off/ });
    expect(seen).toHaveLength(before);
  });

  it('has the types of messages', () => {
    const text = DIALECTS.messages.writeFailure(problem).toString();
    expect(text).toMatch(/^event: error\ndata: /);
    expect(eventsIn(Buffer.from(text))[0]).toMatchObject({
      type: 'error',
      error: { type: 'api_error', message: problem.message, code: 'upstream_error' },
    });
  });
});
