import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CallBody } from '#src/core/call.js';
import { isRefused } from '#src/core/errors.js';
import { writeChatBody } from '#src/rules/dialects/chat-body.js';
import { readChatCall } from '#src/rules/dialects/chat-call.js';

const GOOD = '{"model":"m","messages":[{"role":"user","content":"hi"}]}';
const withMember = (member: string) => `{${member},${GOOD.slice(1)}`;

function refusal(body: string | Buffer): string {
  const read = readChatCall(Buffer.from(body as string));
  if (!isRefused(read)) return 'read';
  const { code, param } = read.refused;
  return param === undefined ? code : `${code} ${param}`;
}

function call(body: string): CallBody {
  const read = readChatCall(Buffer.from(body));
  if (isRefused(read)) throw new Error(read.refused.message);
  return read;
}

const messages = (value: string) => `{"model":"m","messages":${value}}`;
const deep = (levels: number) => withMember(`"x":${'['.repeat(levels)}${']'.repeat(levels)}`);

describe('a body is refused, and the member named', () => {
  const table: [body: string | Buffer, refused: string][] = [
    ['', 'invalid_json'],
    ['  ', 'invalid_json'],
    ['null', 'invalid_json'],
    ['[]', 'invalid_json'],
    ['"x"', 'invalid_json'],
    ['1', 'invalid_json'],
    [GOOD.slice(0, -1), 'invalid_json'],
    [`${GOOD}x`, 'invalid_json'],
    [withMember('"temperature":NaN'), 'invalid_json'],
    [withMember("'a':1"), 'invalid_json'],
    [`${GOOD.slice(0, -1)},}`, 'invalid_json'],
    [`/* */${GOOD}`, 'invalid_json'],
    [`\ufeff${GOOD}`, 'invalid_json'],
    [Buffer.from([0x7b, 0xff, 0x7d]), 'invalid_encoding'],
    [Buffer.from(GOOD.replace('hi', 'h\u00e9'), 'latin1'), 'invalid_encoding'],
    [Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc0, 0xaf])]), 'invalid_encoding'],
    [Buffer.from(GOOD, 'utf16le'), 'invalid_json'],
    [withMember('"model":"other"'), 'duplicate_key model'],
    [withMember('"mod\\u0065l":"other"'), 'duplicate_key model'],
    [withMember('"max_tokens":1,"max_tokens":9'), 'duplicate_key max_tokens'],
    [withMember('"__proto__":{},"__proto__":{}'), 'duplicate_key __proto__'],
    [messages('[{"role":"user","role":"system","content":""}]'), 'duplicate_key role'],
    [withMember('"x":[{"a":{"b":1,"c":[{"d":1,"d":2}]}}]'), 'duplicate_key d'],
    [deep(64), 'too_deep'],
    [deep(50_000), 'too_deep'],
    ['{"messages":[{"role":"user","content":"hi"}]}', 'invalid_value model'],
    [GOOD.replace('"m"', '""'), 'invalid_value model'],
    [GOOD.replace('"m"', '1'), 'invalid_value model'],
    [GOOD.replace('"m"', 'null'), 'invalid_value model'],
    [GOOD.replace('"m"', '["m"]'), 'invalid_value model'],
    [GOOD.replace('"m"', `"${'m'.repeat(10_000)}"`), 'invalid_value model'],
    [GOOD.replace('"m"', '"m\\u0000"'), 'invalid_value model'],
    [GOOD.replace('"m"', '"m\\r\\nx: y"'), 'invalid_value model'],
    ['{"model":"m"}', 'invalid_value messages'],
    [messages('{}'), 'invalid_value messages'],
    [messages('[]'), 'invalid_value messages'],
    [messages('null'), 'invalid_value messages'],
    [messages('"hi"'), 'invalid_value messages'],
    [messages('[null]'), 'invalid_value messages[0]'],
    [messages('["hi"]'), 'invalid_value messages[0]'],
    [messages('[{"content":"hi"}]'), 'invalid_value messages[0].role'],
    [messages('[{"role":"root","content":"hi"}]'), 'invalid_value messages[0].role'],
    [messages('[{"role":"toString"}]'), 'invalid_value messages[0].role'],
    [messages('[{"role":"user","content":1}]'), 'invalid_value messages[0].content'],
    [messages('[{"role":"user","content":{}}]'), 'invalid_value messages[0].content'],
    [messages('[{"role":"user","content":["x"]}]'), 'invalid_value messages[0].content[0]'],
    [messages('[{"role":"user","content":[{}]}]'), 'invalid_value messages[0].content[0]'],
    ...['0', '-1', '129', '1.5', '"2"', 'true', '[]', '1e400'].map(
      (n) => [withMember(`"n":${n}`), 'invalid_value n'] as [string, string],
    ),
    ...['max_tokens', 'max_completion_tokens'].flatMap((member) =>
      ['0', '-1', '1.5', '"100"', 'true', '[]', '{}', '1e400', '9007199254740993', '1e308'].map(
        (value) =>
          [withMember(`"${member}":${value}`), `invalid_value ${member}`] as [string, string],
      ),
    ),
    [withMember('"max_tokens":1,"max_completion_tokens":1'), 'invalid_value max_tokens'],
    ...['"true"', '1', '[]', '{}'].map(
      (value) => [withMember(`"stream":${value}`), 'invalid_value stream'] as [string, string],
    ),
    [withMember('"stream_options":{}'), 'invalid_value stream_options'],
    [withMember('"stream":false,"stream_options":{}'), 'invalid_value stream_options'],
    [withMember('"stream":true,"stream_options":[]'), 'invalid_value stream_options'],
    [withMember('"stream":true,"stream_options":true'), 'invalid_value stream_options'],
    [
      withMember('"stream":true,"stream_options":{"include_usage":"yes"}'),
      'invalid_value stream_options.include_usage',
    ],
  ];
  it.each(table)('%#: %s', (body, refused) => {
    expect(refusal(body)).toBe(refused);
  });
});

describe('a body is read', () => {
  it('where null stands for absent', () => {
    const nulls = '"n":null,"max_tokens":null,"stream":null,"stream_options":null,"user":null';
    expect(call(withMember(nulls))).toMatchObject({ stream: false, choices: 1 });
    expect(call(withMember(nulls)).outputBound).toBeUndefined();
    const bound = call(withMember('"max_tokens":null,"max_completion_tokens":7')).outputBound;
    expect(bound).toEqual({ member: 'max_completion_tokens', tokens: 7 });
  });

  it('with everything that decides about money and routing', () => {
    const read = call(
      withMember(
        '"n":128,"max_tokens":1e2,"stream":true,"stream_options":{"include_usage":true},"user":"u"',
      ),
    );
    expect(read).toMatchObject({
      model: 'm',
      choices: 128,
      stream: true,
      wantsUsage: true,
      endUser: 'u',
      outputBound: { member: 'max_tokens', tokens: 100 },
    });
  });

  it('where parts, tool calls, null content, deep but allowed nests and U+FFFD are ordinary', () => {
    for (const content of ['null', '[]', '[{"type":"text","text":"a"}]', '"\ufffd"', '"\\u0000"']) {
      expect(refusal(messages(`[{"role":"user","content":${content}}]`))).toBe('read');
    }
    const calls = '[{"role":"assistant","tool_calls":[{"id":"1"}]},{"role":"tool","content":"x"}]';
    expect(refusal(messages(calls))).toBe('read');
    expect(refusal(deep(63))).toBe('read');
  });

  it('with keys that name parts of every object, as data', () => {
    const body = withMember('"__proto__":{"stream":true},"constructor":1,"toString":2,"1":3,"0":4');
    const read = call(body);
    expect(read.stream).toBe(false);
    expect([...read.members.keys()].slice(0, 5)).toEqual([
      '__proto__',
      'constructor',
      'toString',
      '1',
      '0',
    ]);
    expect(({} as { stream?: boolean }).stream).toBeUndefined();
  });

  it('with spans that are the members, for any JSON and any white space', () => {
    const spaced = fc.tuple(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(4));
    fc.assert(
      fc.property(spaced, ([extra, indent]) => {
        delete extra.model;
        const json = { ...extra, model: 'm', messages: [{ role: 'user', content: 'a"\\' }] };
        const checked = ['n', 'stream', 'stream_options', 'max_tokens', 'user'];
        if (checked.some((key) => key in extra)) return;
        const raw = Buffer.from(` ${JSON.stringify(json, null, indent)}\n`);
        const read = readChatCall(raw);
        if (isRefused(read)) {
          expect(read.refused.code).toBe('too_deep');
          return;
        }
        const entries = [...read.members].map(([key, { keyStart, valueStart, valueEnd }]) => {
          const value = JSON.parse(raw.toString('utf8', valueStart, valueEnd)) as unknown;
          const text = raw.toString('utf8', keyStart, valueStart);
          expect(JSON.parse(text.slice(0, text.lastIndexOf(':')))).toBe(key);
          return [key, value];
        });
        expect(Object.fromEntries(entries)).toEqual(JSON.parse(JSON.stringify(json)));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the request for the provider', () => {
  const write = (body: string, edits: Partial<Parameters<typeof writeChatBody>[1]> = {}) => {
    const all = { model: 'real', bound: null, askUsage: true, ...edits };
    return Buffer.concat(writeChatBody(call(body), all)).toString();
  };
  const stream = withMember('"stream":true');

  it('has the client’s own bytes around what is spliced', () => {
    const odd =
      '{ "seed" : 9007199254740993 , "x":1e400,"t":1.0, "model" :\t"m" ,"messages":[{"role":"user","content":"\\u00e9\\/"}] }';
    expect(write(odd)).toBe(odd.replace('"m"', '"real"'));
    const bound = { member: 'max_tokens', tokens: 9 };
    expect(write(odd, { bound })).toBe(
      odd.replace('"m"', '"real"').replace('"seed"', '"max_tokens":9,"seed"'),
    );
    expect(write(withMember('"max_tokens": 100'), { bound })).toBe(
      withMember('"max_tokens": 9').replace('"m"', '"real"'),
    );
  });

  it('asks usage of a stream, merged into the options of the client', () => {
    const asked = '"stream_options":{"include_usage":true}';
    expect(write(stream)).toBe(`{${asked},${stream.slice(1)}`.replace('"m"', '"real"'));
    const cases = [
      ['{}', '{"include_usage":true}'],
      ['null', '{"include_usage":true}'],
      ['{"include_usage":false}', '{"include_usage":true}'],
      ['{"include_usage" : null}', '{"include_usage" : true}'],
      ['{ "include_obfuscation":false }', '{ "include_usage":true,"include_obfuscation":false }'],
      ['{"include_usage":true, "a":1}', '{"include_usage":true, "a":1}'],
    ];
    for (const [own, sent] of cases) {
      const body = withMember(`"stream":true,"stream_options":${own}`);
      const want = withMember(`"stream":true,"stream_options":${sent}`);
      expect(write(body)).toBe(want.replace('"m"', '"real"'));
    }
    expect(write(GOOD)).toBe(GOOD.replace('"m"', '"real"'));
  });

  it('has no stream options where usage is not to be asked', () => {
    const body = withMember('"stream":true,"stream_options":{"include_usage":true}');
    const want = withMember('"stream":true').replace('"m"', '"real"');
    expect(write(body, { askUsage: false })).toBe(want);
  });

  it('never carries what steers another gateway, and stays JSON wherever that stood', () => {
    const members = [
      '"api_base":"http://x"',
      '"a":1',
      '"api_key":"k"',
      '"b":[2]',
      '"user_config":{}',
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray([...members, '"model":"m"', GOOD.slice(13, -1)]), (some) => {
        const need = ['"model":"m"', GOOD.slice(13, -1)].filter((member) => !some.includes(member));
        const body = `{ ${[...need, ...some].join(' , ')} }`;
        const sent = JSON.parse(write(body)) as Record<string, unknown>;
        const want = JSON.parse(body) as Record<string, unknown>;
        for (const gone of ['api_base', 'api_key', 'user_config']) delete want[gone];
        expect(sent).toEqual({ ...want, model: 'real' });
        expect(Object.keys(sent)).toEqual(Object.keys(want));
      }),
      { numRuns: 500 },
    );
  });

  it('quotes a model name as JSON', () => {
    expect(JSON.parse(write(GOOD, { model: 'a"\\\n' }))).toMatchObject({ model: 'a"\\\n' });
  });
});
