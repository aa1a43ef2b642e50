import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NoAnswer, readAnswerHead } from '#src/drivers/answer-head.js';
import { AnswerReader } from '#src/drivers/answer-reader.js';
import { writeRequestHead } from '#src/drivers/request-head.js';

interface Read {
  status: number;
  headers: Record<string, string>;
  body: string;
  done: boolean;
  untilClose: boolean;
  keepMs: number;
  /** What was left over once it was done. */
  rest: string;
}

function readParts(parts: readonly string[], holdAfter = Number.POSITIVE_INFINITY): Read {
  const reader = new AnswerReader(1024, 30_000);
  const read: Omit<Read, 'done' | 'untilClose' | 'keepMs'> = {
    ...{ status: 0, headers: {}, body: '', rest: '' },
  };
  reader.begin({
    onHead: (status, headers) => Object.assign(read, { status, headers: { ...headers } }),
    onBody: (bytes) => {
      expect(reader.held).toBe(false);
      read.body += bytes.toString('latin1');
      if (read.body.length >= holdAfter) reader.held = true;
    },
  });
  for (const part of parts) {
    let rest = reader.read(Buffer.from(part, 'latin1'));
    while (rest !== undefined && reader.held) {
      reader.held = false;
      rest = reader.read(rest);
    }
    reader.held = false;
    read.rest += rest?.toString('latin1') ?? '';
  }
  const { isDone: done, endsWithConnection: untilClose, keepMs } = reader;
  return { ...read, done, untilClose, keepMs };
}

const head = (...lines: string[]) =>
  `HTTP/1.1 200 OK\r\n${lines.map((l) => `${l}\r\n`).join('')}\r\n`;
const CHUNKED = `${head('transfer-encoding: Chunked', 'x-a: 1', 'X-A: 2')}3;x="y"\r\nabc\r\n0a\r\n0123456789\r\n00\r\nt: u\r\n\r\n`;

const GOOD: Record<string, [raw: string, expected: Partial<Read>]> = {
  length: [`${head('Content-Length:\t 5 ')}hello`, { body: 'hello', done: true, keepMs: 30_000 }],
  chunks: [CHUNKED, { body: 'abc0123456789', done: true, keepMs: 30_000 }],
  'until close': [`${head('a: b')}x\r\ny`, { body: 'x\r\ny', done: false, untilClose: true }],
  'no body': ['HTTP/1.1 204 \r\n\r\n', { status: 204, body: '', done: true }],
  'a length of none': ['HTTP/1.1 304\r\ncontent-length: 9\r\n\r\n', { body: '', done: true }],
  interim: [
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\n${head('content-length: 1')}k`,
    { status: 200, body: 'k', done: true },
  ],
  close: [`${head('connection: x, Close', 'content-length: 0')}`, { done: true, keepMs: 0 }],
  hint: [`${head('keep-alive: timeout=5', 'content-length: 0')}`, { done: true, keepMs: 3_000 }],
  'a short hint': [`${head('keep-alive: timeout=1', 'content-length: 0')}`, { keepMs: 0 }],
  'HTTP/1.0': ['HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nk', { body: 'k', keepMs: 0 }],
  'more than asked for': [`${head('content-length: 1')}kHTTP/1.1`, { body: 'k', rest: 'HTTP/1.1' }],
};

describe('an answer', () => {
  it.each(Object.entries(GOOD))(
    'is read the same however it is cut: %s',
    (_name, [raw, expected]) => {
      expect(readParts([raw])).toMatchObject(expected);
      for (let at = 1; at < raw.length; at += 1) {
        expect(readParts([raw.slice(0, at), raw.slice(at)]), `cut at ${at}`).toMatchObject(
          expected,
        );
      }
      expect(readParts([...raw])).toMatchObject(expected);
    },
  );

  it('joins a header that comes twice, and knows names by their lower case', () => {
    expect(readParts([CHUNKED]).headers).toEqual({ 'transfer-encoding': 'Chunked', 'x-a': '1, 2' });
  });

  it('has no header that did not come, whatever its name is', () => {
    const odd = ['constructor', '__proto__', 'toString', 'hasOwnProperty'];
    const told = head('content-length: 0', ...odd.map((name) => `${name}: 1`)).trimEnd();
    const { headers } = readAnswerHead(told);
    const names = odd.map((name) => name.toLowerCase());
    expect(Object.keys(headers)).toEqual(['content-length', ...names]);
    const none = readAnswerHead(head('content-length: 0').trimEnd()).headers;
    for (const name of names) expect([headers[name], none[name]]).toEqual(['1', undefined]);
  });

  it('hands nothing on while it is held, and loses nothing', () => {
    for (let at = 1; at <= 13; at += 1) {
      expect(readParts([CHUNKED], at)).toMatchObject({ body: 'abc0123456789', done: true });
    }
  });

  it('framed in chunks of any size and cut anywhere is what was framed', () => {
    const cuts = fc.array(fc.nat(400), { maxLength: 8 });
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 }), { maxLength: 9 }), cuts, (texts, at) => {
        const bodies = texts.map((text) => Buffer.from(text).toString('latin1'));
        const framed = bodies.map((text) => `${text.length.toString(16)}\r\n${text}\r\n`);
        const raw = `${head('transfer-encoding: chunked')}${framed.join('')}0\r\n\r\n`;
        const places = [0, ...at.sort((a, b) => a - b), raw.length];
        const parts = places.slice(1).map((place, i) => raw.slice(places[i], place));
        expect(readParts(parts)).toMatchObject({ body: bodies.join(''), done: true, rest: '' });
      }),
    );
  });
});

const BAD: Record<string, string> = {
  'another protocol': 'SSH-2.0-x\r\n\r\n',
  'another version': 'HTTP/2 200 OK\r\n\r\n',
  'a status of no kind': 'HTTP/1.1 000 x\r\n\r\n',
  'another protocol from here on': 'HTTP/1.1 101 x\r\n\r\n',
  'bare line ends': 'HTTP/1.1 200 OK\ncontent-length: 0\n\n\r\n\r\n',
  'a folded line': head('a: b', ' c: d'),
  'a name with a space': head('a : b'),
  'no name': head(': b'),
  'no colon': head('abc'),
  'a bare carriage return': head('a: b\rc'),
  'a value that ends in one': head('a: b\r'),
  'a nought': head('a: b\0'),
  'two ways to tell the length': head('content-length: 1', 'transfer-encoding: chunked'),
  'two lengths': head('content-length: 1', 'content-length: 2'),
  'a length with a sign': head('content-length: +1'),
  'a length of hex': head('content-length: 0x1'),
  'a coding of another kind': head('transfer-encoding: gzip, chunked'),
  'a coding in HTTP/1.0': 'HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n',
  'a chunk without size': `${head('transfer-encoding: chunked')}\r\nabc`,
  'a chunk with a sign': `${head('transfer-encoding: chunked')}-1\r\nabc`,
  'a chunk with something behind its size': `${head('transfer-encoding: chunked')}1x\r\na\r\n`,
  'a chunk beyond all bounds': `${head('transfer-encoding: chunked')}fffffffffffff\r\n`,
  'a chunk that is longer': `${head('transfer-encoding: chunked')}1\r\nab\r\n`,
  'a head beyond its bound': head(`a: ${'b'.repeat(2_000)}`),
  'a trailer beyond its bound': `${head('transfer-encoding: chunked')}0\r\n${'a: b\r\n'.repeat(500)}`,
  'an extension beyond its bound': `${head('transfer-encoding: chunked')}1;${'x'.repeat(5_000)}`,
};

describe('no answer', () => {
  it.each(Object.entries(BAD))('is %s, however it is cut', (_name, raw) => {
    expect(() => readParts([raw])).toThrow(NoAnswer);
    for (let at = 1; at < raw.length; at += Math.ceil(raw.length / 64)) {
      expect(() => readParts([raw.slice(0, at), raw.slice(at)]), `cut at ${at}`).toThrow(NoAnswer);
    }
  });
});

describe('a request head', () => {
  const to = { host: 'a.example:8080', path: '/v1/x?y=1' };

  it('says what is ours, whatever it is given', () => {
    const given = { 'content-length': '9', host: 'b', connection: 'close', 'x-a': 'b' };
    expect(writeRequestHead('POST', to, { ...given, 'accept-encoding': 'gzip' }, 3)).toBe(
      'POST /v1/x?y=1 HTTP/1.1\r\nhost: a.example:8080\r\nconnection: keep-alive\r\nx-a: b\r\n' +
        'accept-encoding: identity\r\ncontent-length: 3\r\n\r\n',
    );
    expect(writeRequestHead('GET', to, {}, null)).not.toContain('content-length');
  });

  it.each(['a\r\nb: c', 'a\nb', 'a\0', 'a\u0100'])('is not written with the value %j', (value) => {
    expect(writeRequestHead('POST', to, { 'x-a': value }, 0)).toBeUndefined();
  });

  it.each(['', 'a b', 'a\r\nb', 'ä'])('is not written with the name %j', (name) => {
    expect(writeRequestHead('POST', to, { [name]: 'x' }, 0)).toBeUndefined();
  });
});
