// Streams that meet the end of their budget, at random: each is served by a whole gateway, and what
// was delivered, told and booked is compared with the room that there was, event by event.

import type { FreshDatabase } from '../databases.js';
import { seeded } from '../seeded.js';
import { openStory, type Story } from '../story.js';
import type { Format } from '../transcripts.js';
import { blocksOf } from './recorded.js';
import { WIRES } from './wires.js';

/** USD a million tokens of prompt and answer, with at most three decimals. */
const PRICES = { a: ['1', '4'], b: ['0.15', '0.6'], c: ['3', '15'], d: ['0.05', '0.375'] } as const;
type PriceName = keyof typeof PRICES;
const FORMATS: readonly Format[] = ['chat', 'messages', 'responses'];
const PROMPT = 'Please say hello';
/** One token in the encodings that streams are counted in. */
const WORD = ' hello';
/** Held for the answer at first, where nothing is known of its agent. */
const TRANCHE = 256;

/** A gateway, and what it holds for the prompt by wire format and kind of model. */
export interface CutStory {
  story: Story;
  promptHeld: ReadonlyMap<string, number>;
}

export async function openCutStory(fresh: FreshDatabase): Promise<CutStory> {
  const prices: Record<string, object> = {};
  for (const [name, [input, output]] of Object.entries(PRICES)) {
    const price = { input, output };
    for (const model of [`gpt-4o-${name}`, `other-${name}`]) prices[`scripted/${model}`] = price;
    prices[`scripted/gpt-4o-hidden-${name}`] = { ...price, hidden_output: true };
    prices[`claude/other-${name}`] = price;
  }
  const limits = [{ scope: 'global', amount_usd: 1_000_000, period: 'monthly' }];
  const story = await openStory(
    { dialects: { claude: 'anthropic' }, limits, config: { prices } },
    fresh,
  );
  const promptHeld = new Map<string, number>();
  for (const [format, kind] of KINDS) {
    const wire = WIRES[format];
    const body = wire.body(`${kind}-a`, PROMPT, 10);
    story.upstream.plan({ body: wire.text([WORD], { input: 5, output: 1 }).join('') });
    await (await send(story, wire.path, body, story.key)).text();
    await story.gateway.drained();
    const [turn] = await story.database.query<{ tokens: number }>(
      'select estimated_input_tokens as tokens from turn_metrics order by turn_id desc limit 1',
    );
    promptHeld.set(`${format} ${kind}`, Number(turn?.tokens));
  }
  return { story, promptHeld };
}

const KINDS = [
  ['chat', 'gpt-4o'],
  ['chat', 'other'],
  ['messages', 'other'],
  ['responses', 'gpt-4o'],
  ['responses', 'other'],
] as const;

function send(story: Story, path: string, body: object, key: string): Promise<Response> {
  return fetch(`${story.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

interface Case {
  seed: number;
  format: Format;
  model: string;
  price: PriceName;
  /** Tokens of each event of the answer, and all of them. */
  sizes: number[];
  total: number;
  /** The client's own bound on its answer, never below what comes. */
  bound: number;
  whole: 'strict' | 'hidden' | undefined;
  /** So many tokens of answer fit where money, and where tokens are limited. */
  room: { nano_usd?: number; tokens?: number };
  cuts: { seed: number; count: number } | undefined;
  /** The prompt as the upstream tells it, below what is estimated. */
  promptTold: number;
}

export interface CutFigures {
  cases: number;
  cut: number;
  completed: number;
  refused: number;
  wholeHeld: number;
  extended: number;
  faults: string[];
}

export const NO_CUTS = (): CutFigures => ({
  ...{ cases: 0, cut: 0, completed: 0, refused: 0, wholeHeld: 0, extended: 0, faults: [] },
});

function caseOf(seed: number): Case {
  const random = seeded(seed);
  const format = random.pick(FORMATS);
  const price = random.pick(Object.keys(PRICES) as PriceName[]);
  const whole = random.pick([
    undefined,
    undefined,
    undefined,
    undefined,
    'strict',
    'hidden',
  ] as const);
  const isHidden = whole === 'hidden' && format !== 'messages';
  const isPublic = format !== 'messages' && (isHidden || random.below(3) > 0);
  const model = `${isPublic ? 'gpt-4o' : 'other'}${isHidden ? '-hidden' : ''}-${price}`;
  const sizes: number[] = [];
  const most = random.pick([1, 3, 12, 60]);
  const wanted = 50 + random.below(random.pick([400, 3_000, 6_000]));
  let total = 0;
  while (total < wanted) {
    const size = 1 + random.below(random.below(40) === 0 ? 120 : most);
    sizes.push(size);
    total += size;
  }
  const room: Case['room'] = {};
  const units = random.pick([['nano_usd'], ['tokens'], ['nano_usd', 'tokens']] as const);
  for (const unit of units) room[unit] = TRANCHE + 100 + random.below(random.pick([50, 1_500]));
  return {
    ...{ seed, format, model, price, sizes, total, room },
    bound: total + random.below(random.pick([2, 2_000, 100_000])),
    whole: whole === 'hidden' && !isHidden ? undefined : whole,
    cuts: random.below(4) === 0 ? undefined : { seed, count: 1 + random.below(300) },
    promptTold: 1 + random.below(9),
  };
}

/** Runs the cases of these seeds, one after another, and adds what came of them to `figures`. */
export async function cutCases(
  bench: CutStory,
  seeds: readonly number[],
  figures: CutFigures,
): Promise<void> {
  const { story } = bench;
  const asked: Asked[] = [];
  for (const seed of seeds) asked.push(await ask(bench, caseOf(seed)));
  await story.gateway.drained();
  const ids = asked.flatMap(({ id }) => (id === undefined ? [] : [id]));
  const rows = await story.database.query<Row>(
    'select * from token_usage where reservation_id = any($1::uuid[])',
    [ids],
  );
  for (const one of asked) {
    const own = rows.filter((row) => row.reservation_id === one.id);
    const faults = faultsOf(one, own, figures);
    figures.cases += 1;
    figures.faults.push(
      ...faults.map((fault) => `seed ${one.of.seed} (${one.of.format}, ${one.of.model}): ${fault}`),
    );
  }
}

interface Row extends Record<string, unknown> {
  reservation_id: string;
  outcome: string;
  tokens_in: number;
  tokens_out: number;
  cost_usd: string;
  lines: { u: string; a: number; o: number }[];
}

interface Asked {
  of: Case;
  status: number;
  body: string;
  id: string | undefined;
  /** The prompt's tokens as they are held. */
  promptHeld: number;
  limit: { nano_usd?: bigint; tokens?: bigint };
}

async function ask({ story, promptHeld: held }: CutStory, of: Case): Promise<Asked> {
  const wire = WIRES[of.format];
  const body = wire.body(of.model, PROMPT, of.bound);
  if (of.whole === 'hidden' && of.format === 'responses') body.reasoning = { effort: 'low' };
  const kind = of.model.startsWith('other') ? 'other' : 'gpt-4o';
  const promptHeld = held.get(`${of.format} ${kind}`) ?? 0;
  const prompt = of.format === 'messages' ? of.promptTold : promptHeld;
  const random = seeded(of.seed + 77);
  const limit: Asked['limit'] = {};
  if (of.room.nano_usd !== undefined) {
    // All that the room costs, and less than one token more.
    limit.nano_usd = nano(of.price, prompt, of.room.nano_usd) + BigInt(random.below(300));
  }
  if (of.room.tokens !== undefined) limit.tokens = BigInt(prompt + of.room.tokens);
  const key = await spender(story, limit, of.whole === 'strict');
  const texts = of.sizes.map((size) => WORD.repeat(size));
  const events = wire.text(texts, { input: of.promptTold, output: of.total });
  // Usage is told at the end only: an answer that is cut has none.
  story.upstream.plan({ body: events.join(''), ...(of.cuts && { cuts: of.cuts }) });
  const response = await send(story, wire.path, body, key);
  const text = await response.text();
  const id = response.headers.get('x-purser-reservation-id') ?? undefined;
  return { of, status: response.status, body: text, id, promptHeld, limit };
}

async function spender(story: Story, limit: Asked['limit'], strict: boolean): Promise<string> {
  const name = `spender-${Math.floor(performance.now() * 1000)}`;
  const post = async (path: string, body: object) => {
    const answer = await story.admin('POST', path, body);
    if (answer.status !== 201) throw new Error(`${path}: ${await answer.text()}`);
    return (await answer.json()) as { id: string; key: string };
  };
  const { id } = await post('/agents', { name, type: 'coder' });
  const about = { scope_type: 'agent', scope_id: id, action_on_exceed: 'block', strict };
  if (limit.nano_usd !== undefined) {
    const usd = `${limit.nano_usd / 1_000_000_000n}.${String(limit.nano_usd % 1_000_000_000n).padStart(9, '0')}`;
    await post('/limits', { ...about, amount_usd: usd, period: 'daily' });
  }
  if (limit.tokens !== undefined) {
    await post('/limits', { ...about, amount_tokens: Number(limit.tokens), period: 'daily' });
  }
  return (await post('/keys', { name, kind: 'agent', agent_id: id })).key;
}

/** What prompt and answer cost, rounded up; by the prices as they are written. */
function nano(price: PriceName, prompt: number, answer: number): bigint {
  // USD a million tokens with six decimals are pico-USD a token.
  const pico = (text: string) => {
    const [whole = '0', fraction = ''] = text.split('.');
    return BigInt(whole + fraction.padEnd(6, '0'));
  };
  const [input, output] = PRICES[price];
  return (BigInt(prompt) * pico(input) + BigInt(answer) * pico(output) + 999n) / 1000n;
}

function faultsOf(asked: Asked, rows: readonly Row[], figures: CutFigures): string[] {
  const { of, promptHeld, limit } = asked;
  const fits = (prompt: number, answer: number) =>
    (limit.nano_usd === undefined || nano(of.price, prompt, answer) <= limit.nano_usd) &&
    (limit.tokens === undefined || BigInt(prompt + answer) <= limit.tokens);
  if (of.whole) figures.wholeHeld += 1;
  if (of.whole && !fits(promptHeld, of.bound)) {
    figures.refused += 1;
    return asked.status === 402 ? [] : [`${asked.status} where the whole bound does not fit`];
  }
  if (asked.status !== 200) return [`${asked.status}: ${asked.body.slice(0, 300)}`];
  const [row] = rows;
  if (!row || rows.length > 1) return [`${rows.length} rows`];
  const told = toldOf(of.format, asked.body);
  const prompt = Number(row.tokens_in);
  const faults = rowFaults(asked, row, told);
  let passed = 0;
  let next = 0;
  for (const size of of.sizes) {
    next = size;
    if (!of.whole && !fits(prompt, passed + size)) break;
    passed += size;
    next = 0;
  }
  if (told.tokens > TRANCHE) figures.extended += 1;
  if (told.tokens !== passed) faults.push(`${told.tokens} tokens passed, and ${passed} fit`);
  if (next === 0) {
    figures.completed += 1;
    if (row.outcome !== 'completed') faults.push(`it fits and was ${row.outcome}`);
    return faults;
  }
  figures.cut += 1;
  if (row.outcome !== 'cut_by_budget') faults.push(`it does not fit and was ${row.outcome}`);
  if (Number(row.tokens_out) !== passed + next) {
    faults.push(`${row.tokens_out} tokens booked, and ${passed} + ${next} came`);
  }
  return [...faults, ...told.faults];
}

function rowFaults({ of, promptHeld }: Asked, row: Row, told: ToldEnd): string[] {
  const faults: string[] = [];
  const [prompt, answer] = [Number(row.tokens_in), Number(row.tokens_out)];
  const isTold = of.format === 'messages' || row.outcome === 'completed';
  if (prompt !== (isTold ? of.promptTold : promptHeld)) faults.push(`a prompt of ${prompt}`);
  const [whole = '0', fraction = ''] = String(row.cost_usd).split('.');
  const cost = BigInt(whole + fraction.padEnd(9, '0'));
  if (cost !== nano(of.price, prompt, answer)) faults.push(`it costs ${cost} nano-USD`);
  for (const { u, a, o } of row.lines) {
    if (u === 'nano_usd' && BigInt(a) !== cost) faults.push(`a line of ${a} nano-USD`);
    if (u === 'tokens' && a !== prompt + answer) faults.push(`a line of ${a} tokens`);
    if (of.whole && o !== 0) faults.push(`an overrun of ${o} ${u}`);
  }
  if (told.usage && told.usage.output !== answer) {
    faults.push(`its client is told ${told.usage.output} tokens of ${answer}`);
  }
  return faults;
}

interface ToldEnd {
  /** Of the words that its client got. */
  tokens: number;
  usage: { output: number } | undefined;
  /** What is wrong with the ending of a cut. */
  faults: string[];
}

function toldOf(format: Format, text: string): ToldEnd {
  const events = blocksOf(Buffer.from(text)).map(({ told }) => told as Told);
  if (format === 'chat') return chatEnd(text, events);
  return format === 'messages' ? messagesEnd(events) : responsesEnd(events);
}

type Events = readonly Told[];

/** What of any wire format's events is looked at. */
interface Told {
  type?: string;
  sequence_number?: number;
  choices?: { delta?: { content?: string }; finish_reason?: string | null }[];
  usage?: { completion_tokens?: number; output_tokens?: number };
  purser?: { terminated_by?: string };
  delta?: { text?: string; stop_reason?: string } | string;
  response?: {
    incomplete_details?: { reason?: string };
    output?: { content?: { text?: string }[] }[];
    usage?: { output_tokens: number } | null;
  };
}

const textOf = ({ delta }: Told) => (typeof delta === 'object' ? delta.text : delta);

const wordsIn = (texts: readonly unknown[]) =>
  texts.reduce((sum: number, text) => sum + (typeof text === 'string' ? text.length : 0), 0) /
  WORD.length;

function chatEnd(text: string, all: Events): ToldEnd {
  const events = all.filter((event) => typeof event === 'object');
  const last = events.at(-1) ?? {};
  const faults: string[] = [];
  if (last.choices?.[0]?.finish_reason !== 'length') faults.push('no `length` at its end');
  if (last.purser?.terminated_by !== 'budget') faults.push('it does not say what ended it');
  if (!text.endsWith('data: [DONE]\n\n')) faults.push('no terminator');
  const usage = last.usage && { output: last.usage.completion_tokens ?? -1 };
  const contents = events.map((event) => event.choices?.[0]?.delta?.content);
  return { tokens: wordsIn(contents), usage, faults };
}

function messagesEnd(events: Events): ToldEnd {
  const faults: string[] = [];
  const types = events.slice(-3).map(({ type }) => type);
  const wanted = ['content_block_stop', 'message_delta', 'message_stop'];
  if (types.join() !== wanted.join()) faults.push(`it ends with ${types}`);
  const delta = events.at(-2) ?? {};
  const reason = typeof delta.delta === 'object' && delta.delta.stop_reason;
  if (reason !== 'max_tokens') faults.push('no `max_tokens` at its end');
  const usage = delta.usage && { output: delta.usage.output_tokens ?? -1 };
  return { tokens: wordsIn(events.map(textOf)), usage, faults };
}

function responsesEnd(events: Events): ToldEnd {
  const faults: string[] = [];
  const deltas = events.filter(({ type }) => type === 'response.output_text.delta');
  const tokens = wordsIn(deltas.map(textOf));
  const numbers = events.map((event) => event.sequence_number);
  if (numbers.some((number, index) => number !== index)) faults.push('its events are misnumbered');
  const last = events.at(-1) ?? {};
  if (last.type !== 'response.incomplete') faults.push(`it ends with ${last.type}`);
  const { response } = last;
  const reason = response?.incomplete_details?.reason;
  if (reason !== 'max_output_tokens') faults.push(`it ends for ${reason}`);
  const text = response?.output?.[0]?.content?.[0]?.text;
  if (tokens > 0 && wordsIn([text]) !== tokens) faults.push('its last event has another text');
  const output = response?.usage?.output_tokens;
  const usage = output === undefined ? undefined : { output };
  return { tokens, usage, faults };
}
