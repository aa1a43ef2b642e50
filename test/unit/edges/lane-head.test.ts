// Which heads the lane reads by itself, and that a head it recognises is one that it would read.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Said } from '#src/edges/http/headers.js';
import { KnownHead, readHead } from '#src/edges/http/lane/head.js';
import { LIMITS } from '#src/edges/http/limits.js';
import { BODY, LINES, ODD, PLAIN, requestOf } from '../../support/requests.js';

const door = async () => undefined;
const DOORS = new Map([
  ['/v1/chat/completions', door],
  ['/openai/v1/messages/count_tokens', door],
]);
const read = (bytes: string | Buffer) => readHead(Buffer.from(bytes), DOORS, LIMITS);

describe('a plain request is read', () => {
  test.each(PLAIN)('%s', (_name, request) => {
    const head = read(request);
    expect(head?.door).toBe(door);
    expect(head?.length).toBe(request.length - request.indexOf('\r\n\r\n') - 4);
    expect(head?.bytes).toBe(request.indexOf('\r\n\r\n') + 4);
  });
});

describe('any other is left alone', () => {
  test.each(ODD)('%s', (_name, request) => {
    expect(read(request)).toBeUndefined();
  });
});

test('what the headers say is what the doors get', () => {
  const more = ['x-purser-person: ada', 'OpenAI-Beta: a', 'Connection: close', 'Accept: b'];
  const head = read(requestOf([...LINES, ...more]));
  const said: Partial<Said> = {
    credential: 'sk-good',
    claims: { person: 'ada' },
    passHeaders: { 'openai-beta': 'a', accept: 'b' },
    bodyRefused: undefined,
  };
  expect(head?.said).toMatchObject(said);
  expect(head?.keepAlive).toBe(false);
});

test('a head is recognised whatever the length of its body, and no other is', () => {
  const first = Buffer.from(requestOf(LINES));
  const known = new KnownHead(read(requestOf(LINES))!, first);
  for (const length of ['0', '1', '57', '100', '999999999']) {
    const lines = [...LINES.slice(0, 3), `Content-Length: ${length}`];
    const request = Buffer.from(requestOf(lines));
    expect(known.match(request)).toEqual(read(requestOf(lines)));
    expect(known.match(request)?.length).toBe(Number(length));
  }
  for (const length of ['', '00', '057', '1234567890', '5 7', '-1', '5\r\nX-A: b']) {
    const lines = [...LINES.slice(0, 3), `Content-Length: ${length}`];
    expect(known.match(Buffer.from(requestOf(lines)))).toBeUndefined();
  }
});

test('whatever is changed in it, a head that is recognised is read alike', () => {
  const first = requestOf([...LINES, 'x-purser-person: ada']);
  const known = new KnownHead(read(first)!, Buffer.from(first));
  const change = fc.record({
    at: fc.nat(first.length - BODY.length),
    gone: fc.nat(3),
    put: fc.constantFrom('', '0', '9', '12', ' ', '\r', '\n', '\r\n', ':', 'a', '\x80'),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 2 }), (changes) => {
      let request = first;
      for (const { at, gone, put } of changes) {
        request = request.slice(0, at) + put + request.slice(at + gone);
      }
      const bytes = Buffer.from(request, 'latin1');
      const recognised = known.match(bytes);
      if (recognised) expect(recognised).toEqual(readHead(bytes, DOORS, LIMITS));
    }),
    { numRuns: 5_000 },
  );
});
