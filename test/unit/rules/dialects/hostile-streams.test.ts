// Streams that no provider should send: whatever comes, bytes go on, time stays linear, and usage
// that is not what the stream says is marked. `npm run trials -- streams` makes more of them.

import { describe, expect, it } from 'vitest';
import { FORMATS, faultsOfMutant, faultsOfUsage } from '../../../support/meter/mutants.js';
import { drive } from '../../../support/streams.js';

/** For each wire format. */
const MUTANTS = 3_400;

describe.each(FORMATS)('mutated streams of %s', (format) => {
  it(`never break the reader (${MUTANTS} of them)`, () => {
    for (let seed = 0; seed < MUTANTS; seed++) expect(faultsOfMutant(format, seed)).toEqual([]);
  }, 60_000);

  it('never tell a usage that the stream does not, unless it is marked', () => {
    let read = 0;
    for (let seed = 0; seed < MUTANTS / 4; seed++) {
      const told = faultsOfUsage(format, seed);
      expect(told.faults).toEqual([]);
      if (told.read) read += 1;
    }
    expect(read).toBeGreaterThan(MUTANTS / 100);
  }, 60_000);
});

const HUGE = 17 << 20;
const huge = {
  chat: `data: ${JSON.stringify({ choices: [{ delta: { content: 'x'.repeat(HUGE) } }] })}\n\n`,
  messages: `data: ${JSON.stringify({
    type: 'content_block_delta',
    delta: { text: 'x'.repeat(HUGE) },
  })}\n\n`,
  responses: `data: ${JSON.stringify({
    type: 'response.output_text.delta',
    delta: 'x'.repeat(HUGE),
  })}\n\n`,
};

describe.each(FORMATS)('a 17 MB event in %s', (format) => {
  it('goes on unread, in linear time and whatever the chunks, and is marked', () => {
    const bytes = Buffer.from(huge[format]);
    const after = Buffer.from(': after\n\n');
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += 1_000) chunks.push(bytes.subarray(at, at + 1_000));
    const { reader, out } = drive(format, [...chunks, after]);
    expect(out.equals(Buffer.concat([bytes, after]))).toBe(true);
    expect(reader.anomalies).toEqual(['an event over the cap went on unread']);
    expect(reader.takeText()).toBe('');
  });

  it('of nothing but line ends goes on', () => {
    const bytes = Buffer.alloc(1 << 20, '\r');
    const { out, reader } = drive(format, [bytes, Buffer.from('\n')]);
    expect(out.length).toBe(bytes.length + 1);
    expect(reader.anomalies).toEqual([]);
  });
});

it('the end of a response is read up to 15 MB, since it repeats the whole answer', () => {
  const usage = { input_tokens: 3, output_tokens: 4, total_tokens: 7 };
  const response = { status: 'completed', instructions: 'x'.repeat(15 << 20), usage };
  const event = { type: 'response.completed', sequence_number: 9, response };
  const { reader } = drive('responses', [Buffer.from(`data: ${JSON.stringify(event)}\n\n`)]);
  expect(reader.terminated).toBe(true);
  expect(reader.usage).toMatchObject({ input: 3, output: 4 });
});
