// The calls of a trial: what the upstream does for each kind of them, what its tokens cost by hand,
// and a client that notes how much of the answer reached it, on a connection of its own.

import { type IncomingMessage, request } from 'node:http';
import type { UpstreamPlan } from '../support/scripted-upstream.js';

/** USD per million tokens; a token of the prompt is 1,000 nano-USD, one of the answer 4,000. */
export const PRICE = { input: 1, output: 4 };
const INPUT_NANO_USD = 1_000;
const OUTPUT_NANO_USD = 4_000;

export const PROMPT = 'Please say hello';
/** 3 of the message, 1 for `user`, one a word, 3 to prime the answer: as OpenAI publishes it. */
export const PROMPT_TOKENS = 3 + 1 + 3 + 3;
/** One token in every place of a text. */
const WORD = ' hello';

export interface Kind {
  model: string;
  stream: boolean;
  /** Tokens of the whole answer. */
  words: number;
  plan: UpstreamPlan;
  /** The end of the body's first, second, ... word; all of them at the end of a whole answer. */
  wordEnds: readonly number[];
}

export function nanoUsd(words: number): number {
  return PROMPT_TOKENS * INPUT_NANO_USD + words * OUTPUT_NANO_USD;
}

export function streamKind(
  name: string,
  words: number,
  pace: { firstByteMs?: number; paceMs?: number },
  tellsUsage = true,
): Kind {
  const parts = Array.from({ length: words }, () => event({ content: WORD }, null));
  const wordEnds: number[] = [];
  for (const part of parts) wordEnds.push((wordEnds.at(-1) ?? 0) + Buffer.byteLength(part));
  const usage = `data: ${JSON.stringify({ ...FRAME, choices: [], usage: usageOf(words) })}\n\n`;
  const end = `${event({}, 'stop')}${tellsUsage ? usage : ''}data: [DONE]\n\n`;
  const plan = { body: parts.join('') + end, cuts: { at: wordEnds }, ...pace };
  return { model: `gpt-4o-${name}`, stream: true, words, plan, wordEnds };
}

/** An answer in one piece: its words can be read, and are written, only all at once. */
export function wholeKind(name: string, words: number, firstByteMs: number): Kind {
  const message = { role: 'assistant', content: WORD.repeat(words) };
  const choices = [{ index: 0, message, finish_reason: 'stop' }];
  const body = JSON.stringify({
    ...FRAME,
    object: 'chat.completion',
    choices,
    usage: usageOf(words),
  });
  const headers = { 'content-type': 'application/json' };
  const wordEnds = Array.from({ length: words }, () => Buffer.byteLength(body));
  return {
    model: `gpt-4o-${name}`,
    stream: false,
    words,
    plan: { headers, body, firstByteMs },
    wordEnds,
  };
}

const FRAME = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm' };

function event(delta: object, finish: string | null): string {
  const choices = [{ index: 0, delta, finish_reason: finish }];
  return `data: ${JSON.stringify({ ...FRAME, choices })}\n\n`;
}

function usageOf(words: number) {
  const total = PROMPT_TOKENS + words;
  return { prompt_tokens: PROMPT_TOKENS, completion_tokens: words, total_tokens: total };
}

/** One call as its client saw it. */
export interface Asked {
  /** `x-client-request-id`, and `user` in the body, by which the upstream's log names it. */
  requestId: string;
  round: number;
  kind: Kind;
  status: number | undefined;
  reservationId: string | undefined;
  /** Bytes of the answer, its head with them, that reached the client's program. */
  bytes: number;
  /** The whole answer came, its terminator with it. */
  sawLastByte: boolean;
  /** When the client left by itself. */
  leftAtMs: number | undefined;
}

export interface AskOptions {
  url: string;
  key: string;
  requestId: string;
  round: number;
  kind: Kind;
  /** Leaves after so long, whatever came. */
  leaveAfterMs?: number;
}

export const nowMs = () => performance.timeOrigin + performance.now();

/** Resolves however the call ends; only a connection that was never made is `undefined`. */
export function ask(options: AskOptions): Promise<Asked | undefined> {
  const { requestId, round, kind, url, key, leaveAfterMs } = options;
  const asked: Asked = {
    ...{ requestId, round, kind, status: undefined, reservationId: undefined },
    ...{ bytes: 0, sawLastByte: false, leftAtMs: undefined },
  };
  return new Promise((resolve) => {
    const body = JSON.stringify({
      model: `openai/${kind.model}`,
      messages: [{ role: 'user', content: PROMPT }],
      stream: kind.stream,
      user: requestId,
    });
    const call = request(`${url}/v1/chat/completions`, {
      method: 'POST',
      agent: false,
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'x-client-request-id': requestId,
      },
    });
    let connected = false;
    let timer: NodeJS.Timeout | undefined;
    call.on('socket', (socket) => {
      socket.once('connect', () => {
        connected = true;
      });
      socket.on('close', () => {
        asked.bytes = socket.bytesRead;
      });
    });
    call.on('response', (response) => read(response, asked));
    // What went wrong shows in what is missing.
    call.on('error', () => {});
    call.on('close', () => {
      clearTimeout(timer);
      asked.bytes = Math.max(asked.bytes, call.socket?.bytesRead ?? 0);
      resolve(connected ? asked : undefined);
    });
    if (leaveAfterMs !== undefined) {
      timer = setTimeout(() => {
        asked.leftAtMs = nowMs();
        call.destroy();
      }, leaveAfterMs);
    }
    call.end(body);
  });
}

function read(response: IncomingMessage, asked: Asked): void {
  asked.status = response.statusCode;
  asked.reservationId = response.headers['x-purser-reservation-id'] as string | undefined;
  let tail = '';
  response.on('data', (chunk: Buffer) => {
    tail = (tail + chunk.toString()).slice(-32);
  });
  response.on('error', () => {});
  response.on('end', () => {
    const ended = asked.kind.stream ? tail.endsWith('data: [DONE]\n\n') : true;
    asked.sawLastByte = response.complete && ended;
  });
}
