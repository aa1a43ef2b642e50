// Streams that no provider should send, made from the project's own, and what must hold of each:
// bytes go on, counts stay counts, an ending can be written, and usage that is not what the stream
// says is marked.

import { isJsonObject, type JsonObject, parseJson } from '#src/core/json.js';
import { inputTokens, outputTokens, type Usage } from '#src/core/usage.js';
import { type Seeded, seeded } from '../seeded.js';
import { DIALECTS, drive } from '../streams.js';
import { type Format, ownTranscripts } from '../transcripts.js';

export const FORMATS: readonly Format[] = ['chat', 'messages', 'responses'];
const CUT = { usage: usageOf(3, 4), comment: 'note', purser: { terminated_by: 'budget' } };
const TRANSCRIPTS = {
  chat: ownTranscripts('chat'),
  messages: ownTranscripts('messages'),
  responses: ownTranscripts('responses'),
};

function usageOf(input: number, output: number): Usage {
  const [cachedRead, cacheWrite5m, cacheWrite1h, reasoning, audioInput] = [0, 0, 0, 0, 0];
  const rest = { audioOutput: 0, imageInput: 0, requests: 1, webSearches: 0 };
  return { input, cachedRead, cacheWrite5m, cacheWrite1h, output, reasoning, audioInput, ...rest };
}

const WORDS = [
  'data: ',
  'data: {"type":"message_delta","delta":{"stop_reason":"x"},"usage":{"output_tokens":-1}}\n\n',
  'data: {"type":"message_delta","usage":{"output_tokens":1e400}}\n\n',
  'data: {"type":"response.output_item.added","output_index":1e9,"item":{}}\n\n',
  'data: {"type":"response.output_item.done","output_index":0,"item":[]}\n\n',
  'data: {"type":"response.output_text.delta","output_index":0,"content_index":99,"delta":"x"}\n\n',
  'data: {"type":"response.completed","response":7}\n\n',
  'data: {"type":"content_block_start","index":"__proto__","content_block":null}\n\n',
  'data: {"choices":[null,{"index":{}}],"usage":{"prompt_tokens":"7"}}\n\n',
  'data: [DONE]\n\n',
  '\r',
  '\n\n',
  '\r\n\r\n',
  '\ufeff',
  '\u0000',
  'null',
  '-1',
  '1e99',
  '[]',
  '{}',
  '"',
  '\\',
  '🏔',
];

function mutate(bytes: Buffer, random: Seeded): Buffer {
  let mutated = bytes;
  for (let change = 1 + random.below(4); change > 0; change--) {
    const at = random.below(mutated.length);
    const to = Math.min(mutated.length, at + random.below(random.pick([3, 40, 400])));
    const put = random.pick([
      () => Buffer.from(random.pick(WORDS)),
      () => Buffer.from([random.below(256)]),
      () => Buffer.concat([mutated.subarray(at, to), mutated.subarray(at, to)]),
      () => Buffer.alloc(0),
    ])();
    mutated = Buffer.concat([mutated.subarray(0, at), put, mutated.subarray(to)]);
  }
  return mutated;
}

/** Every event of the stream, by lines of the whole text at once. */
function eventsOf(bytes: Buffer): JsonObject[] {
  const events: JsonObject[] = [];
  let data: string[] = [];
  for (const line of [
    ...bytes
      .toString('utf8')
      .replace(/^\ufeff/, '')
      .split(/\r\n|\n|\r/),
    '',
  ]) {
    if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
    if (line !== '') continue;
    const event = parseJson(data.join('\n'));
    data = [];
    if (isJsonObject(event)) events.push(event);
  }
  return events;
}

const count = (value: unknown) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : 0;

/** Tokens in and out as the stream tells them: every pair that may be meant. */
function oracle(format: Format, bytes: Buffer): [input: number, output: number][] {
  const events = eventsOf(bytes);
  if (format === 'messages') return [messagesOracle(events)];
  return events.flatMap((event) => {
    const owner = format === 'responses' ? event.response : event;
    const usage = isJsonObject(owner) ? (owner.usage ?? groqUsage(owner)) : undefined;
    if (!isJsonObject(usage)) return [];
    if (format === 'responses') return [[count(usage.input_tokens), count(usage.output_tokens)]];
    const [prompt, completion] = [count(usage.prompt_tokens), count(usage.completion_tokens)];
    const beyond = count(usage.total_tokens) - prompt;
    const details = usage.completion_tokens_details;
    const reasoning = isJsonObject(details) ? count(details.reasoning_tokens) : 0;
    return [
      [prompt, completion],
      [prompt, beyond],
      [prompt, completion + reasoning],
    ] as [number, number][];
  });
}

const groqUsage = ({ x_groq: groq }: JsonObject) => (isJsonObject(groq) ? groq.usage : undefined);

function messagesOracle(events: readonly JsonObject[]): [number, number] {
  let [input, output] = [0, 0];
  for (const event of events) {
    if (event.type === 'message_stop') break;
    const owner = event.type === 'message_start' ? event.message : event;
    const told = ['message_start', 'message_delta'].includes(String(event.type));
    if (!told || !isJsonObject(owner) || !isJsonObject(owner.usage)) continue;
    const { usage } = owner;
    const steps = Array.isArray(usage.iterations) ? usage.iterations.filter(isJsonObject) : [];
    const sum = (key: string) => steps.reduce((total, step) => total + count(step[key]), 0);
    input = Math.max(input, count(usage.input_tokens), sum('input_tokens'));
    output = Math.max(output, count(usage.output_tokens), sum('output_tokens'));
  }
  return [input, output];
}

/** What the reader did wrong with the mutant of this seed. */
export function faultsOfMutant(format: Format, seed: number): string[] {
  const random = seeded(seed);
  const { bytes, provider } = random.pick(TRANSCRIPTS[format]);
  const mutant = mutate(bytes, random);
  const cut = random.below(mutant.length);
  const chunks = [mutant.subarray(0, cut), mutant.subarray(cut)];
  const { reader, out } = drive(format, chunks, provider);
  const faults: string[] = [];
  // What goes on is the stream's beginning, but for a blank line that it lacked.
  const passed = Math.min(out.length, mutant.length);
  const ends = reader.terminated || out.length >= mutant.length - 4_000;
  if (!ends) faults.push('bytes were kept back');
  if (!out.subarray(0, passed).equals(mutant.subarray(0, passed))) faults.push('other bytes');
  if (!isSane(reader.usage) || !isSane(reader.inputUsage)) faults.push('a usage of no counts');
  if (!reader.midEvent) {
    if (seed % 2 === 0) reader.retract();
    const ending = DIALECTS[format].writeCut(reader, CUT).toString();
    if (!/(?:\r\n|\n|\r)(?:\r\n|\n|\r)$/.test(ending)) faults.push('no whole ending');
    DIALECTS[format].writeFailure({ code: 'upstream_error', message: 'broke' }, reader);
  }
  return faults.map((fault) => `${format}, seed ${seed}: ${fault}`);
}

/** Whether the mutant's usage was read unmarked, and what was wrong with it. */
export function faultsOfUsage(format: Format, seed: number): { read: boolean; faults: string[] } {
  const random = seeded(seed + 1_000_000);
  const { bytes, provider } = random.pick(TRANSCRIPTS[format]);
  const mutant = mutate(bytes, random);
  const { reader } = drive(format, [mutant], provider);
  const { usage } = reader;
  if (!usage || reader.anomalies.length > 0) return { read: false, faults: [] };
  const input = format === 'messages' ? usage.input : inputTokens(usage);
  const got = [input, outputTokens(usage)];
  const told = oracle(format, mutant).some(([a, b]) => a === got[0] && b === got[1]);
  const fault = `${format}, seed ${seed}: it reads ${got}, which the stream does not say`;
  return { read: true, faults: told ? [] : [fault] };
}

function isSane(usage: Usage | undefined): boolean {
  return Object.values(usage ?? {}).every((count) => Number.isSafeInteger(count) && count >= 0);
}
