// Near the end of a hold, events are judged one by one, however their bytes arrive.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Passing } from '#src/flows/call/passing.js';
import { createChatReader } from '#src/rules/dialects/chat-reader.js';

const quirks = {
  outputBoundMember: 'max_tokens',
  asksUsage: true,
  reasoningOutsideOutput: false,
};

const LINE_ENDS = ['\n', '\r\n', '\r'] as const;

/** What was passed before each judgement, when at most `fitting` events fit. */
function passedBy(chunks: readonly Buffer[], fitting: number): { passed: string; judged: number } {
  const reader = createChatReader({ wantsUsage: true, quirks });
  const out: Buffer[] = [];
  let judged = 0;
  const gate = { isSafe: () => false, admit: () => ++judged <= fitting };
  const passing = new Passing(reader, gate, {
    pass: (pieces) => void out.push(...pieces),
    pause: () => {},
    resume: () => {},
    cut: () => {},
    fail: (error) => {
      throw error;
    },
  });
  for (const chunk of chunks) passing.take(chunk);
  return { passed: Buffer.concat(out).toString(), judged };
}

describe('near the end of a hold', () => {
  test('each event is judged by itself, however the bytes are split and lines end', () => {
    const lineEnd = fc.constantFrom(...LINE_ENDS);
    const event = fc.record({ text: fc.string({ maxLength: 12 }), named: fc.boolean() });
    const stream = fc.tuple(lineEnd, fc.array(event, { minLength: 1, maxLength: 8 }));
    fc.assert(
      fc.property(stream, fc.array(fc.nat(400)), fc.nat(8), ([end, events], cuts, fitting) => {
        const blocks = events.map(({ text, named }) => {
          const told = JSON.stringify({ choices: [{ index: 0, delta: { content: text } }] });
          return `${named ? `event: x${end}` : ''}data: ${told}${end}${end}`;
        });
        const bytes = Buffer.from(blocks.join(''));
        // Half a CRLF is judged like an event, and passes like one.
        const apart = (at: number) => bytes[at] !== 10 || bytes[at - 1] !== 13;
        const at = cuts.map((cut) => cut % bytes.length).filter(apart);
        const places = [0, ...at.sort((a, b) => a - b)];
        const chunks = places.map((from, i) => bytes.subarray(from, places[i + 1] ?? bytes.length));
        const { passed, judged } = passedBy(chunks, fitting);
        const fit = Math.min(fitting, blocks.length);
        expect(judged).toBe(Math.min(blocks.length, fitting + 1));
        expect(passed).toBe(blocks.slice(0, fit).join(''));
      }),
      { numRuns: 2000 },
    );
  });
});
