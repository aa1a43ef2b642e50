import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseOwnJson } from '#src/core/json.js';
import { NO_USAGE, type Usage } from '#src/core/usage.js';
import { MessagesReader } from '#src/rules/dialects/messages-reader.js';
import { ResponsesReader } from '#src/rules/dialects/responses-reader.js';
import { seeded, splitAtRandom } from '../../../support/seeded.js';
import { DIALECTS, type Driven, drive } from '../../../support/streams.js';
import { type Format, ownTranscripts } from '../../../support/transcripts.js';

const SPLITS = 50;

interface Expected {
  file: string;
  /** Null: the output is told nowhere. */
  classes: Partial<Usage> | null;
  inputClasses?: Partial<Usage>;
  text: string;
  finish: string | null;
  failure?: string;
  terminated: boolean;
  /** Content blocks that never stopped. */
  open?: number[];
  /** The sequence number that an event of ours would have; null: nothing is numbered. */
  next?: number | null;
}

const folder = join(import.meta.dirname, '..', '..', '..', 'fixtures');

describe.each<Format>(['messages', 'responses'])('own transcripts of %s', (format) => {
  const path = join(folder, format, 'expected.json');
  const table = parseOwnJson<Expected[]>(readFileSync(path, 'utf8'));
  const transcripts = ownTranscripts(format);

  it('are all in the table', () => {
    expect(transcripts.map(({ name }) => name)).toEqual(table.map(({ file }) => file).sort());
  });

  it.each(table)('$file is passed on unchanged and read, wherever it is cut', (want) => {
    const { bytes } = transcripts.find(({ name }) => name === want.file)!;
    const passed = want.terminated ? withoutLastBlock(bytes) : bytes;
    for (let seed = 0; seed < SPLITS; seed++) {
      const random = seeded(seed);
      const cuts = 1 + random.below(seed < SPLITS / 2 ? 10 : bytes.length / 20);
      expectRead(drive(format, splitAtRandom(bytes, cuts, random)), want, passed);
    }
    const single = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
    const driven = drive(format, single);
    expectRead(driven, want, passed);
    if (!want.terminated) return;
    const done = DIALECTS[format].writeDone('note', driven.reader).toString();
    expect(done).toBe(`: note\n${bytes.subarray(passed.length)}`);
  });
});

function expectRead({ reader, out }: Driven, want: Expected, passed: Buffer): void {
  expect(out.equals(passed)).toBe(true);
  expect(reader.takeText()).toBe(want.text);
  expect(reader.takeText()).toBe('');
  expect(reader.usage ?? null).toEqual(want.classes && wholeUsage(want.classes));
  if (want.inputClasses) expect(reader.inputUsage).toEqual(wholeUsage(want.inputClasses));
  expect(reader.finishReason).toBe(want.finish);
  expect(reader.failure).toBe(want.failure);
  expect(reader.terminated).toBe(want.terminated);
  expect(reader.sawChoiceFinished).toBe(want.terminated);
  expect(reader.anomalies).toEqual([]);
  if (reader instanceof MessagesReader) expect([...reader.openBlocks]).toEqual(want.open);
  if (reader instanceof ResponsesReader) expect(reader.nextSequence ?? null).toBe(want.next);
}

function wholeUsage(classes: Partial<Usage>): Usage {
  return { ...NO_USAGE, requests: 1, ...classes };
}

function withoutLastBlock(bytes: Buffer): Buffer {
  const blocks = bytes.toString('latin1').match(/[\s\S]*?(?:\r\n\r\n|\n\n|\r\r)/g) ?? [];
  return Buffer.from(blocks.slice(0, -1).join(''), 'latin1');
}
