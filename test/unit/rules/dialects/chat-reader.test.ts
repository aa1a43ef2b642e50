import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '#src/core/json.js';
import { createChatReader } from '#src/rules/dialects/chat-reader.js';
import { completeUsage, readChatUsage } from '#src/rules/dialects/chat-usage.js';
import { quirksOf } from '#src/rules/providers/providers.js';
import { seeded, splitAtRandom } from '../../../support/seeded.js';
import { ownTranscripts, recordedTranscripts } from '../../../support/transcripts.js';

const SPLITS = 50;
const MUTATIONS = 3000;
const quirks = quirksOf('openai');

function drive(chunks: readonly Buffer[], wantsUsage: boolean, of = quirks) {
  const reader = createChatReader({ wantsUsage, quirks: of });
  const out: Buffer[] = [];
  for (const chunk of chunks) out.push(...reader.push(chunk));
  out.push(...reader.end());
  return { reader, out: Buffer.concat(out) };
}

// An independent reading: the whole text at once, every event parsed, nothing fast.
function expected(bytes: Buffer, wantsUsage: boolean, provider: string) {
  const blocks = bytes.toString('utf8').match(/[\s\S]*?(?:\r\n|\n|\r)(?:\r\n|\n|\r)/g) ?? [];
  let [out, text, usage] = ['', '', undefined as unknown];
  for (const block of blocks) {
    const lines = block.replace(/^\ufeff/, '').split(/\r\n|\n|\r/);
    const data = lines.filter((line) => line.startsWith('data:'));
    const told = data.map((line) => line.slice(5).replace(/^ /, '')).join('\n');
    if (told === '[DONE]') break;
    const event = told === '' ? {} : (JSON.parse(told) as JsonObject);
    text += strings(event.choices ?? []);
    if (event.usage) {
      const reading = readChatUsage(event.usage as JsonObject, quirksOf(provider));
      usage = completeUsage(reading, { inputTokens: 0, outputTokens: 0 }).usage;
    }
    const isUsageOnly = Array.isArray(event.choices) && !event.choices.length && event.usage;
    if (wantsUsage || !isUsageOnly) out += block;
  }
  return { out: Buffer.from(out), text, usage };
}

const OUTPUT = new Set(['content', 'reasoning_content', 'text', 'name', 'arguments', 'refusal']);

function strings(value: Json, key = ''): string {
  if (typeof value === 'string') return OUTPUT.has(key) ? value : '';
  if (typeof value !== 'object' || value === null) return '';
  if (Array.isArray(value)) return value.map((item) => strings(item, key)).join('');
  const order = ['content', 'reasoning_content', 'refusal', 'tool_calls', 'name', 'arguments'];
  const rank = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length);
  const keys = Object.keys(value).filter((name) => name !== 'logprobs' && name !== 'message');
  keys.sort((left, right) => rank(left) - rank(right));
  return keys.map((name) => strings(value[name]!, name)).join('');
}

describe.each([
  ['own transcripts', ownTranscripts()],
  ['recordings', recordedTranscripts()],
])('%s', (_, transcripts) => {
  it.skipIf(transcripts.length === 0).each(transcripts)(
    '$name comes out unchanged wherever it is cut, and its text and usage are read',
    ({ bytes, provider }) => {
      for (const wantsUsage of [true, false]) {
        const want = expected(bytes, wantsUsage, provider);
        for (let seed = 0; seed < SPLITS; seed++) {
          const random = seeded(seed);
          const cuts = 1 + random.below(seed < SPLITS / 2 ? 10 : bytes.length / 20);
          const chunks = splitAtRandom(bytes, cuts, random);
          const { reader, out } = drive(chunks, wantsUsage, quirksOf(provider));
          expect(out.equals(want.out), `seed ${seed}`).toBe(true);
          expect(reader.takeText(), `seed ${seed}`).toBe(want.text);
          expect(reader.usage).toEqual(want.usage);
          expect(reader.anomalies).toEqual([]);
        }
      }
    },
  );

  it('come out unchanged byte by byte', () => {
    for (const { bytes, provider } of transcripts.filter((one) => one.bytes.length < 8000)) {
      const chunks = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
      const want = expected(bytes, false, provider);
      const { reader, out } = drive(chunks, false, quirksOf(provider));
      expect(out.toString()).toBe(want.out.toString());
      expect(reader.takeText()).toBe(want.text);
      expect(reader.usage).toEqual(want.usage);
    }
  });
});

const event = (choice: unknown, more: object = {}) =>
  `data: ${JSON.stringify({ id: 'x', model: 'm', choices: [choice], ...more })}\n\n`;
const delta = (content: string) => event({ index: 0, delta: { content }, finish_reason: null });
const ended = event({ index: 0, delta: {}, finish_reason: 'stop' });
const usage = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };
const usageOnly = `data: ${JSON.stringify({ choices: [], usage })}\n\n`;
const DONE = 'data: [DONE]\n\n';

const read = (text: string, wantsUsage = false) => {
  const { reader, out } = drive([Buffer.from(text)], wantsUsage);
  return { reader, out: out.toString() };
};

describe('what goes out', () => {
  it('goes out in the push that completed it, and a partial tail waits', () => {
    const reader = createChatReader({ wantsUsage: false, quirks });
    const [one, two] = [delta('a'), delta('b')];
    const chunk = Buffer.from(one + two.slice(0, 20));
    const [first] = reader.push(chunk);
    expect(first?.toString()).toBe(one);
    expect(first?.buffer).toBe(chunk.buffer);
    expect(Buffer.concat([...reader.push(Buffer.from(two.slice(20)))]).toString()).toBe(two);
  });

  it('is the very chunk where a chunk is whole events', () => {
    const reader = createChatReader({ wantsUsage: false, quirks });
    const chunk = Buffer.from(delta('a') + delta('b'));
    expect(reader.push(chunk)).toEqual([chunk]);
    expect(reader.push(chunk)[0]).toBe(chunk);
  });

  it('has no terminator and nothing that comes after it', () => {
    const { reader, out } = read(delta('a') + ended + DONE + usageOnly + delta('late'));
    expect(out).toBe(delta('a') + ended);
    expect(reader.terminated).toBe(true);
    expect(reader.usage).toBeUndefined();
    expect(reader.takeText()).toBe('a');
  });

  it('keeps a chunk without choices that tells no usage, and one whose choices tell usage', () => {
    const filter = 'data: {"choices":[],"prompt_filter_results":[]}\n\n';
    const nulls = 'data: {"choices":[],"usage":null}\n\n';
    const both = event({ index: 0, delta: {}, finish_reason: 'stop' }, { usage });
    expect(read(filter + nulls + both + DONE).out).toBe(filter + nulls + both);
  });

  it('takes the LF of a CRLF with the event that was left out', () => {
    const reader = createChatReader({ wantsUsage: false, quirks });
    const cut = usageOnly.replace('\n\n', '\r\n\r');
    const after = `: note\r\n\r\n`;
    const out = [...reader.push(Buffer.from(cut)), ...reader.push(Buffer.from(`\n${after}`))];
    expect(Buffer.concat(out).toString()).toBe(after);
  });

  it('gets the blank line that a last whole event lacks, and not a half event', () => {
    expect(read(delta('a') + ended.trimEnd()).out).toBe(delta('a') + ended);
    const cut = read(delta('a') + delta('half').slice(0, 30));
    expect(cut.out).toBe(delta('a'));
    expect(cut.reader.anomalies).toEqual(['the last event was cut off']);
  });

  it('is every byte of what is no event stream', () => {
    const html = '<html>\n<body>busy</body>\n';
    const { reader, out } = read(html);
    expect(out.startsWith(html)).toBe(true);
    expect(reader.sawChoiceFinished).toBe(false);
    expect(reader.terminated).toBe(false);
  });

  it('goes on unread above the cap, in linear time, and is read again after it', () => {
    const reader = createChatReader({ wantsUsage: false, quirks });
    const huge = Buffer.from(delta('x'.repeat(16 << 20)));
    const out: Buffer[] = [...reader.push(Buffer.from(delta('before')))];
    let mid = 0;
    for (let at = 0; at < huge.length; at += 1000) {
      out.push(...reader.push(huge.subarray(at, at + 1000)));
      if (reader.midEvent) mid += 1;
    }
    expect(mid).toBeGreaterThan(14_000);
    expect(reader.midEvent).toBe(false);
    out.push(...reader.push(Buffer.from(delta('after') + DONE)));
    const want = delta('before') + huge.toString() + delta('after');
    expect(Buffer.concat(out).toString() === want).toBe(true);
    expect(reader.takeText()).toBe('beforeafter');
    expect(reader.anomalies).toEqual(['an event over the cap went on unread']);
  });
});

describe('any stream', () => {
  it('under the cap may come byte by byte', () => {
    const text = 'y'.repeat(200_000);
    const bytes = Buffer.from(delta(text) + DONE);
    const { reader, out } = drive(
      Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)),
      false,
    );
    expect(reader.takeText() === text).toBe(true);
    expect(out.toString() === delta(text)).toBe(true);
  });

  it('however broken, reads the same wherever it is cut, and loses no byte before its end', () => {
    const transcripts = ownTranscripts();
    for (let seed = 0; seed < MUTATIONS; seed++) {
      const random = seeded(seed);
      const bytes = mutate(random.pick(transcripts).bytes, random);
      const whole = drive([bytes], true);
      const chunks = splitAtRandom(bytes, 1 + random.below(60), random);
      const cut = drive(chunks, true);
      const told = ({ reader, out }: typeof cut) => ({
        out: out.toString('latin1'),
        text: reader.takeText(),
        usage: reader.usage,
        notes: reader.anomalies,
        ends: [reader.terminated, reader.finishReason, reader.sawChoiceFinished, reader.failure],
      });
      const [left, right] = [told(whole), told(cut)];
      expect(right, `seed ${seed}`).toEqual(left);
      const kept = left.out.replace(/[\r\n]+$/, '');
      expect(bytes.toString('latin1').startsWith(kept), `seed ${seed}`).toBe(true);
    }
  });
});

function mutate(bytes: Buffer, random: ReturnType<typeof seeded>): Buffer {
  let mutated = Buffer.from(bytes);
  for (let i = 0; i <= random.below(4); i++) {
    const at = random.below(mutated.length);
    const end = Math.min(mutated.length, at + 1 + random.below(30));
    const [before, part, after] = [
      mutated.subarray(0, at),
      mutated.subarray(at, end),
      mutated.subarray(end),
    ];
    const byte = Buffer.from([random.pick([10, 13, 34, 92, 0, 32, 58, 123, 125, 239, 255])]);
    const middle = random.pick([
      [],
      [part, part],
      [byte],
      [byte, part],
      [random.pick(NEWLINES), part],
    ]);
    mutated = Buffer.concat([before, ...middle, after]);
  }
  return mutated;
}

const NEWLINES = ['\n\n', '\r\n\r\n', '\r', '\n\r'].map((text) => Buffer.from(text));

describe('what is read', () => {
  it('is finished only when every choice that began has ended', () => {
    const other = event({ index: 1, delta: { content: 'b' }, finish_reason: null });
    expect(read(delta('a') + other + ended).reader.sawChoiceFinished).toBe(false);
    const otherEnded = event({ index: 1, delta: {}, finish_reason: 'length' });
    const { reader } = read(delta('a') + other + ended + otherEnded);
    expect(reader.sawChoiceFinished).toBe(true);
    expect(reader.finishReason).toBe('length');
  });

  it('has the last complete usage, an explicit zero, and no usage where a side is missing', () => {
    const told = (of: object) => `data: ${JSON.stringify({ choices: [], usage: of })}\n\n`;
    const later = { prompt_tokens: 3, completion_tokens: 9 };
    const half = { prompt_tokens: 5 };
    expect(read(told(usage) + told(later) + told(half)).reader.usage?.output).toBe(9);
    const zero = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
    expect(read(told(zero)).reader.usage).toMatchObject({ input: 0, output: 0, requests: 1 });
    expect(read(told(half)).reader.usage).toBeUndefined();
  });

  it('names what is wrong in a usage and goes on', () => {
    const bad = { prompt_tokens: -1, completion_tokens: 4 };
    const { reader } = read(event({ index: 0, delta: {} }, { usage: bad }) + DONE);
    expect(reader.usage).toBeUndefined();
    expect(reader.anomalies).toEqual(['prompt_tokens: -1']);
  });

  it('tells an error event and malformed ones', () => {
    const failed = 'data: {"error":{"message":"overloaded"}}\n\n';
    const { reader, out } = read(`${delta('a')}data: {"choices"\n\n${failed}data: 7\n\n`);
    expect(reader.failure).toBe('overloaded');
    expect(reader.anomalies).toEqual(['an event was no JSON object']);
    expect(out).toContain('data: {"choices"\n\n');
    expect(read('data: {"error":"no"}\n\n').reader.failure).toBe('no');
    expect(read('data: {"error":null}\n\n').reader.failure).toBeUndefined();
  });

  it('counts an event with output once, and takes text once', () => {
    const { reader } = read(delta('a') + delta('') + delta('b') + ended);
    expect(reader.textEvents).toBe(2);
    expect(reader.takeText()).toBe('ab');
    expect(reader.takeText()).toBe('');
    expect(reader.model).toBe('m');
  });

  it('never takes the same reasoning for two', () => {
    const same = { reasoning: 'why', reasoning_content: 'why' };
    const { reader } = read(event({ index: 0, delta: same }) + event({ index: 0, delta: same }));
    expect(reader.takeText()).toBe('whywhy');
  });
});
