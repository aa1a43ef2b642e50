import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '#src/core/json.js';
import { outputText } from '#src/rules/dialects/chat-event.js';
import { TemplateReader } from '#src/rules/dialects/chat-template.js';

const RUNS = 2000;

const eventOf = (content: string, padding?: string): JsonObject => ({
  id: 'c',
  choices: [{ index: 0, delta: { content }, logprobs: null, finish_reason: null }],
  usage: null,
  ...(padding === undefined ? {} : { obfuscation: padding }),
});
const blockOf = (json: string) => Buffer.from(`data: ${json}\n\n`).toString('latin1');
const parsedText = (json: string) => {
  const event = JSON.parse(Buffer.from(json, 'latin1').toString('utf8')) as JsonObject;
  return outputText(event.choices as Json[]);
};

const readBy = (reader: TemplateReader, block: string) => {
  const bytes = Buffer.from(`-${block}-`, 'latin1');
  return reader.read(bytes, 1, bytes.length - 1);
};

function learned(event: JsonObject): TemplateReader {
  const reader = new TemplateReader();
  reader.learn(blockOf(JSON.stringify(event)), event);
  return reader;
}

describe('the fast path', () => {
  it('is taken for every further text of the same shape', () => {
    const reader = learned(eventOf('one', 'pad'));
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), (text, pad) => {
        const padding = pad.replace(/["\\]/g, '');
        const json = JSON.stringify(eventOf(text, padding));
        expect(readBy(reader, blockOf(json))).toBe(
          parsedText(Buffer.from(json).toString('latin1')),
        );
      }),
      { numRuns: RUNS },
    );
  });

  it('says what JSON.parse says of any bytes in the hole, or nothing', () => {
    const reader = learned(eventOf('one'));
    const [head, tail] = JSON.stringify(eventOf('|')).split('|') as [string, string];
    const unit = fc.constantFrom('"', '\\', 'u', '0', 'n', '{', '}', ',', ':', '\u0001', 'é', 'a');
    let known = 0;
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 12 }), fc.uint8Array({ maxLength: 4 }), (a, b) => {
        const hole = Buffer.concat([Buffer.from(a), Buffer.from(b)]).toString('latin1');
        if (/[\r\n]/.test(hole)) return;
        const json = head + hole + tail;
        const text = readBy(reader, `data: ${json}\n\n`);
        if (text === undefined) return;
        known += 1;
        expect(text).toBe(parsedText(json));
      }),
      { numRuns: RUNS },
    );
    expect(known).toBeGreaterThan(RUNS / 20);
  });

  it('is never learned where the hole is not what a parser takes for the text', () => {
    const shapes = [
      '{"choices":[{"delta":{"content":"a"}}],"choices":[{"delta":{"content":"a"}}]}',
      '{"choices":[{"delta":{"content":"a","content":"a"}}]}',
      '{"x\\"content":"a","choices":[{"delta":{"content":"a"}}]}',
      '{"content":"a","choices":[{"delta":{"content":"a"}}]}',
      '{"choices":[{"delta":{"content":"a"},"delta":{"content":"a"}}]}',
      '{"choices":[{"delta":{"reasoning":"a","reasoning_content":"a"}}]}',
      '{"choices":[{"delta":{"content":"a","refusal":"b"}}]}',
    ];
    for (const json of shapes) {
      const reader = new TemplateReader();
      reader.learn(blockOf(json), JSON.parse(json) as JsonObject);
      const other = json.replaceAll('"a"', '"bc"');
      const text = readBy(reader, blockOf(other));
      if (text !== undefined) expect(text, json).toBe(parsedText(other));
      const half = json.replace('"a"', '"bc"');
      const told = readBy(reader, blockOf(half));
      if (told !== undefined) expect(told, json).toBe(parsedText(half));
    }
  });

  it('stops learning from a stream whose events all differ', () => {
    const reader = new TemplateReader();
    for (let i = 0; i < 100; i++) {
      const event = { ...eventOf('same'), id: `c${i}` };
      reader.learn(blockOf(JSON.stringify(event)), event);
    }
    expect(readBy(reader, blockOf(JSON.stringify({ ...eventOf('x'), id: 'c99' })))).toBeUndefined();
    expect(readBy(reader, blockOf(JSON.stringify({ ...eventOf('x'), id: 'c3' })))).toBe('x');
  });
});
