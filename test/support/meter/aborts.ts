// Clients that leave a stream at a random byte: what the upstream had written when its socket
// closed is compared with the one row of the call.

import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { FreshDatabase } from '../databases.js';
import type { Received } from '../scripted-upstream.js';
import { seeded } from '../seeded.js';
import { openStory, type Story } from '../story.js';
import type { Format } from '../transcripts.js';
import { WIRES } from './wires.js';

/** Calls at once. */
export const LANES = 8;
const FORMATS: readonly Format[] = ['chat', 'messages', 'responses'];
const WORD = ' hello';
const PROMPT = 'Please say hello';
const PROMPT_TOLD = 9;
/** Slow enough that hardly ever two events are under way. */
const PACE_MS = 10;

export function openAbortStory(fresh: FreshDatabase): Promise<Story> {
  const price = { input: 1, output: 4 };
  const names = Array.from({ length: LANES }, (_, lane) => [
    ...FORMATS.map((format) => `${WIRES[format].provider}/${modelOf(format, lane)}`),
  ]).flat();
  const prices = Object.fromEntries(names.map((name) => [name, price]));
  return openStory({ dialects: { claude: 'anthropic' }, config: { prices } }, fresh);
}

const modelOf = (format: Format, lane: number) => `gpt-4o-${format}-${lane}`;

export interface AbortFigures {
  calls: number;
  beforeTheFirstByte: number;
  /** The answer had come whole before its client left. */
  ended: number;
  /** Booked was what had been written when the socket closed, give or take one event. */
  exact: number;
  /** From leaving to the upstream's closed socket, and to no hold in the ledger. */
  upstreamClosedMs: number[];
  holdGoneMs: number[];
  faults: string[];
}

export const NO_ABORTS = (): AbortFigures => ({
  ...{ calls: 0, beforeTheFirstByte: 0, ended: 0, exact: 0 },
  ...{ upstreamClosedMs: [], holdGoneMs: [], faults: [] },
});

const nowMs = () => performance.timeOrigin + performance.now();

/** One call a lane, all at once, each left at a byte that its seed chooses. */
export async function abortCalls(
  story: Story,
  seeds: readonly number[],
  figures: AbortFigures,
): Promise<void> {
  const left = await Promise.all(seeds.map((seed, lane) => leave(story, seed, lane)));
  const leftAtMs = Math.max(...left.map((one) => one.leftAtMs));
  while ((await story.gateway.ledger.state()).held > 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  figures.holdGoneMs.push(nowMs() - leftAtMs);
  await story.gateway.drained();
  for (const one of left) {
    const rows = await story.database.query<Row>(
      `select * from token_usage where metadata->>'request_id' = $1`,
      [one.requestId],
    );
    figures.calls += 1;
    const faults = faultsOf(one, rows, figures);
    figures.faults.push(...faults.map((fault) => `seed ${one.seed} (${one.format}): ${fault}`));
  }
}

interface Row extends Record<string, unknown> {
  outcome: string;
  tokens_in: number;
  tokens_out: number;
  cost_usd: string;
}

interface Left {
  seed: number;
  format: Format;
  requestId: string;
  /** Tokens and the end of each event of the answer, in its order. */
  events: { tokens: number; endsAt: number }[];
  upstream: Received;
  leftAtMs: number;
  /** Bytes that the upstream had written at that moment, and that its client had got. */
  writtenBytes: number;
  gotBytes: number;
}

async function leave(story: Story, seed: number, lane: number): Promise<Left> {
  const random = seeded(seed);
  const format = FORMATS[seed % FORMATS.length]!;
  const wire = WIRES[format];
  const sizes = Array.from({ length: 20 + random.below(60) }, () => 1 + random.below(4));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const texts = sizes.map((size) => WORD.repeat(size));
  const blocks = wire.text(texts, { input: PROMPT_TOLD, output: total });
  const body = blocks.join('');
  const model = modelOf(format, lane);
  const ends = blocks.map((_, index) => blocks.slice(0, index + 1).join('').length);
  // Some events are written in two pieces, and no piece has the ends of two.
  const within = ends.flatMap((end) => (random.below(3) === 0 ? [end - 1 - random.below(9)] : []));
  const at = [...ends, ...within].sort((left, right) => left - right);
  story.upstream.forModel(model, {
    ...{ body, cuts: { at }, paceMs: PACE_MS },
    ...(random.below(3) === 0 && { firstByteMs: 1 + random.below(30) }),
  });
  const requestId = `abort-${seed}`;
  const before = story.upstream.requests.length;
  // One in ten leaves without having got anything.
  const leaveAt = random.below(10) === 0 ? -1 : random.below(body.length);
  const ask = JSON.stringify(wire.body(model, PROMPT, 10_000));
  const asked = async () => {
    for (let all = before; ; all += 1) {
      const own = story.upstream.requests.slice(before).find((one) => one.model === model);
      if (own) return own;
      await story.upstream.received(all + 1);
    }
  };
  const way = { path: wire.path, requestId, ask, leaveAt };
  const read = await readUntil(story, way, asked);
  const upstream = await story.upstream.closed((await asked()).id);
  const events = blocks.map((block, index) => ({
    tokens: tokensOf(block, format),
    endsAt: ends[index] ?? 0,
  }));
  return { seed, format, requestId, events, upstream, ...read };
}

// The text of responses is told again where it ends; only its deltas are new.
function tokensOf(block: string, format: Format): number {
  if (format === 'responses' && !block.includes('output_text.delta')) return 0;
  return block.split(WORD).length - 1;
}

async function readUntil(
  story: Story,
  {
    path,
    requestId,
    ask,
    leaveAt,
  }: { path: string; requestId: string; ask: string; leaveAt: number },
  asked: () => Promise<Received>,
): Promise<Pick<Left, 'gotBytes' | 'writtenBytes' | 'leftAtMs'>> {
  const call = request(`${story.url}${path}`, {
    method: 'POST',
    agent: false,
    headers: {
      authorization: `Bearer ${story.key}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(ask),
      'x-client-request-id': requestId,
    },
  });
  // It ends because we leave it.
  call.on('error', () => {});
  call.end(ask);
  let gotBytes = 0;
  const upstream = await asked();
  if (leaveAt >= 0) {
    const [response] = (await once(call, 'response')) as [IncomingMessage];
    for await (const chunk of response as AsyncIterable<Buffer>) {
      gotBytes += chunk.length;
      if (gotBytes > leaveAt) break;
    }
  }
  const leftAtMs = nowMs();
  call.destroy();
  return { gotBytes, leftAtMs, writtenBytes: upstream.bytesWritten };
}

function faultsOf(left: Left, rows: readonly Row[], figures: AbortFigures): string[] {
  const { events, upstream, gotBytes } = left;
  if (rows.length !== 1) return [`${rows.length} rows`];
  const row = rows[0]!;
  if (gotBytes === 0) figures.beforeTheFirstByte += 1;
  if (row.outcome === 'completed') {
    figures.ended += 1;
    return upstream.complete ? [] : ['completed, and its upstream was not done'];
  }
  const faults: string[] = [];
  if (row.outcome !== 'client_left') faults.push(`it is ${row.outcome}`);
  figures.upstreamClosedMs.push((upstream.closedAtMs ?? Number.NaN) - left.leftAtMs);
  const booked = Number(row.tokens_out);
  const wholeIn = (bytes: number) => events.filter(({ endsAt }) => endsAt <= bytes).length;
  const sum = (count: number) =>
    events.slice(0, count).reduce((all, { tokens }) => all + tokens, 0);
  const written = wholeIn(upstream.bytesWritten);
  const near = [written - 1, written, written + 1].map((count) => sum(Math.max(0, count)));
  if (near.includes(booked)) figures.exact += 1;
  // What is written between its leaving and the closed socket depends on how soon that was.
  const least = sum(Math.max(0, wholeIn(left.writtenBytes) - 1));
  if (booked < least || booked > Math.max(...near)) {
    faults.push(`${booked} tokens booked, of ${least} to ${near} that its upstream had written`);
  }
  if (booked < sum(wholeIn(gotBytes))) faults.push('less than what passed');
  if (Number(row.tokens_in) <= 0) faults.push('no prompt was booked');
  const cost = Number(row.tokens_in) * 1_000 + Number(row.tokens_out) * 4_000;
  if (Math.round(Number(row.cost_usd) * 1e9) !== cost) faults.push(`it costs ${row.cost_usd}`);
  return faults;
}
