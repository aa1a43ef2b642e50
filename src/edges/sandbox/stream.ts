// Streams an answer of the sandbox, word by word, choices side by side.

import type { ServerResponse } from 'node:http';
import { type Answer, closingChunk, openingChunk, usageChunk, wordChunk } from './answer.js';
import type { Pace } from './pace.js';
import type { Script } from './script.js';

const WORDS_A_TURN = 32;

export async function streamAnswer(
  answer: Answer,
  script: Script,
  tellUsage: boolean,
  pace: Pace,
  response: ServerResponse,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  const indexes = Array.from({ length: answer.choices }, (_, index) => index);
  for (const index of indexes) await pace.write(openingChunk(answer, index));
  const half = Math.floor(answer.words.length / 2);
  for (const [at, word] of answer.words.entries()) {
    if (script.dieAfter === at) return breakOff(response);
    if (at === half) await pace.wait(script.stallMs);
    for (const index of indexes) await pace.write(wordChunk(answer, index, word));
    await pace.wait(script.delayMs);
    if (at % WORDS_A_TURN === 0) await pace.turn();
    if (pace.left) return;
  }
  if (script.dieAfter !== undefined && script.dieAfter <= answer.words.length) {
    return breakOff(response);
  }
  for (const index of indexes) await pace.write(closingChunk(answer, index));
  if (tellUsage) await pace.write(usageChunk(answer));
  response.end(script.noDone ? '' : 'data: [DONE]\n\n');
}

// What was written must arrive before the connection breaks, or nobody knows how much was said.
function breakOff(response: ServerResponse): void {
  response.socket?.destroySoon();
}
