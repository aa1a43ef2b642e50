// Scenarios: a long conversation, unseen or grown by a turn. In this process: the CPU of the event
// loop over JSON.parse for reading, counting and rewriting the body, and the longest block. Over
// HTTP: the same through the whole gateway, and what another caller feels of it.

import { isRefused } from '#src/core/errors.js';
import { openTokenizer } from '#src/drivers/tokenizer.js';
import { breathe } from '#src/edges/http/large-body.js';
import { writeChatBody } from '#src/rules/dialects/chat-body.js';
import { readChatCall } from '#src/rules/dialects/chat-call.js';
import { chatPieces, PUBLISHED_OVERHEADS } from '#src/rules/tokens/chat-pieces.js';
import { createTokenCounts } from '#src/stores/token-counts.js';
import { type Bench, emptyOutcome, type Outcome, type Row } from './scenario.js';
import { heartbeat } from './support/heartbeat.js';
import { mainThreadCpuUs, median } from './support/processes.js';
import { tableOf } from './support/rounds.js';
import { conversation, letters } from './support/texts.js';

const TURNS = 25;

export async function conversationCost({ quick, told }: Bench): Promise<Outcome> {
  const tokenizer = openTokenizer({
    loopEncodings: ['o200k_base'],
    workerEncodings: ['o200k_base'],
  });
  tokenizer.loadLoop();
  tokenizer.warmWorker();
  const outcome = emptyOutcome();
  try {
    const counts = createTokenCounts({ tokenizer });
    const read = (raw: Buffer) => readAndCount(raw, counts);
    for (let round = 1; round <= (quick ? 1 : 3); round += 1) {
      for (const kilobytes of quick ? [400] : [16, 100, 400]) {
        for (const kind of ['unseen', 'growing'] as const) {
          told(`conversation, round ${round}: ${kilobytes} KB, ${kind}`);
          outcome.rounds.push({
            round,
            ...(await turns(read, kind, kilobytes, quick ? 8 : TURNS)),
          });
        }
      }
      told(`conversation, round ${round}: a megabyte of one letter`);
      outcome.rounds.push({ round, ...(await oneLetter(read)) });
    }
  } finally {
    await tokenizer.close();
  }
  outcome.table = tableOf(outcome.rounds);
  const of = (variant: string, column: string) =>
    Number(outcome.table.find((row) => row.variant === variant)?.[column]);
  outcome.figures = {
    'conversation.growing-ms': of('400 KB, growing', 'CPU over JSON.parse ms'),
    'conversation.block-ms': of('400 KB, unseen', 'longest block ms'),
    'conversation.letter-ms': of('1 MB of one letter', 'whole ms'),
  };
  return outcome;
}

/** What the gateway does with a body that grows with the body. */
async function readAndCount(raw: Buffer, counts: ReturnType<typeof createTokenCounts>) {
  const call = readChatCall(raw);
  if (isRefused(call)) throw new Error(call.refused.message);
  await breathe(raw);
  const pieces = chatPieces(call.json, 'gpt-4o', PUBLISHED_OVERHEADS);
  const counted = counts.countPieces('o200k_base', pieces.texts);
  const tokens = typeof counted === 'number' ? counted : await counted;
  return { tokens, body: writeChatBody(call, { model: 'gpt-4o', bound: null, askUsage: false }) };
}

type Read = (raw: Buffer) => Promise<{ tokens: number }>;

let made = 0;

async function turns(
  read: Read,
  kind: 'unseen' | 'growing',
  kilobytes: number,
  count: number,
): Promise<Row> {
  const [cpu, parse, whole, blocks]: number[][] = [[], [], [], []];
  let tokens = 0;
  const body = conversation(kilobytes, kind);
  for (let turn = 0; turn < count; turn += 1) {
    const own = body.replaceAll('~'.repeat(16), () => String(++made).padStart(16, '0'));
    const raw = Buffer.from(own);
    const parseUs = cpuOf(() => void JSON.parse(raw.toString()));
    const beat = turn % 2 === 1 ? heartbeat() : undefined;
    await new Promise((resolve) => setImmediate(resolve));
    const startMs = performance.now();
    const beforeUs = mainThreadCpuUs(process.pid);
    beat?.begin();
    tokens = (await read(raw)).tokens;
    // The heartbeat has a cost of its own, and runs while others count.
    if (beat) blocks!.push(beat.end());
    else cpu!.push(mainThreadCpuUs(process.pid) - beforeUs);
    whole!.push(performance.now() - startMs);
    parse!.push(parseUs);
  }
  const ms = (us: readonly number[]) => median(us.slice(1)) / 1000;
  return {
    variant: `${kilobytes} KB, ${kind}`,
    tokens,
    'CPU ms': ms(cpu!),
    'JSON.parse ms': ms(parse!),
    'CPU over JSON.parse ms': ms(cpu!) - ms(parse!),
    'longest block ms': median(blocks!.slice(1)),
    'whole ms': median(whole!.slice(1)),
  };
}

async function oneLetter(read: Read): Promise<Row> {
  const raw = Buffer.from(letters(String(++made)));
  const beat = heartbeat();
  await new Promise((resolve) => setImmediate(resolve));
  beat.begin();
  const startMs = performance.now();
  const { tokens } = await read(raw);
  const wholeMs = performance.now() - startMs;
  const block = beat.end();
  return { variant: '1 MB of one letter', tokens, 'longest block ms': block, 'whole ms': wholeMs };
}

function cpuOf(work: () => void): number {
  const before = mainThreadCpuUs(process.pid);
  work();
  return mainThreadCpuUs(process.pid) - before;
}
