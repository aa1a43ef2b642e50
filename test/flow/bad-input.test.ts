import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Edge, KEY, openEdge } from '../support/edge.js';
import { sendRaw } from '../support/raw-http.js';

let edge: Edge;

beforeAll(async () => {
  edge = await openEdge({ bodyBytesMax: 100_000, bodyIdleMs: 300, headersTimeoutMs: 400 });
});
afterAll(async () => {
  await edge.server.close(0);
});

const BODY = '{"model":"m","messages":[{"role":"user","content":"hi"}]}';
const GOOD = [`Host: purser`, `Authorization: Bearer ${KEY}`, 'Content-Type: application/json'];

function post(lines: readonly string[], body = BODY, first = 'POST /v1/chat/completions HTTP/1.1') {
  return `${[first, ...lines].join('\r\n')}\r\n\r\n${body}`;
}
const sized = (lines: readonly string[], body = BODY) =>
  post([...lines, `Content-Length: ${Buffer.byteLength(body)}`], body);
const chunked = (coding: string, extra: readonly string[] = []) =>
  post([...GOOD, ...extra, `Transfer-Encoding: ${coding}`], '5\r\nhello\r\n0\r\n\r\n');
const get = (path: string, ...lines: string[]) =>
  post(['Host: purser', ...lines], '', `GET ${path} HTTP/1.1`);

type Row = [name: string, request: string | Buffer, status: number, code: string, closes: boolean];
const CLOSES = true;
const STAYS = false;

const ROWS: Row[] = [
  ['no Host', sized(GOOD.slice(1)), 400, '', CLOSES],
  ['two equal Hosts', sized([...GOOD, 'Host: purser']), 400, 'invalid_host', CLOSES],
  ['two Hosts that differ', sized([...GOOD, 'Host: other']), 400, 'invalid_host', CLOSES],
  ['a Host with a path', sized(['Host: a/b', ...GOOD.slice(1)]), 400, 'invalid_host', CLOSES],
  ['a Host with a user', sized(['Host: a@b', ...GOOD.slice(1)]), 400, 'invalid_host', CLOSES],
  ['length and coding', chunked('chunked', ['Content-Length: 5']), 400, 'bad_request', CLOSES],
  [
    'coding and length',
    post([...GOOD, 'Transfer-Encoding: chunked', 'Content-Length: 5'], '0\r\n\r\n'),
    400,
    'bad_request',
    CLOSES,
  ],
  ['two lengths', sized([...GOOD, 'Content-Length: 3']), 400, 'bad_request', CLOSES],
  ['a length list', post([...GOOD, 'Content-Length: 2, 2'], '{}'), 400, 'bad_request', CLOSES],
  ['a signed length', post([...GOOD, 'Content-Length: +2'], '{}'), 400, 'bad_request', CLOSES],
  ['a negative length', post([...GOOD, 'Content-Length: -2'], '{}'), 400, 'bad_request', CLOSES],
  ['a hex length', post([...GOOD, 'Content-Length: 0x2'], '{}'), 400, 'bad_request', CLOSES],
  [
    'a length of 2^64',
    post([...GOOD, 'Content-Length: 18446744073709551616'], '{}'),
    400,
    'bad_request',
    CLOSES,
  ],
  [
    'a space before the colon',
    post([...GOOD, 'Content-Length : 2'], '{}'),
    400,
    'bad_request',
    CLOSES,
  ],
  ['coding gzip', chunked('gzip'), 501, 'unsupported_transfer_encoding', CLOSES],
  ['coding gzip, chunked', chunked('gzip, chunked'), 501, 'unsupported_transfer_encoding', CLOSES],
  ['coding ,chunked', chunked(',chunked'), 400, 'bad_framing', CLOSES],
  ['coding chunked,', chunked('chunked,'), 400, '', CLOSES],
  [
    'coding on HTTP/1.0',
    post(
      [...GOOD, 'Transfer-Encoding: chunked'],
      '0\r\n\r\n',
      'POST /v1/chat/completions HTTP/1.0',
    ),
    400,
    'bad_framing',
    CLOSES,
  ],
  [
    'a hex chunk size',
    post([...GOOD, 'Transfer-Encoding: chunked'], '0x2\r\n{}\r\n0\r\n\r\n'),
    400,
    'bad_request',
    CLOSES,
  ],
  [
    'a negative chunk size',
    post([...GOOD, 'Transfer-Encoding: chunked'], '-1\r\n{}\r\n0\r\n\r\n'),
    400,
    'bad_request',
    CLOSES,
  ],
  [
    'a chunk without its end',
    post([...GOOD, 'Transfer-Encoding: chunked'], '2\r\n{}XX0\r\n\r\n'),
    400,
    'bad_request',
    CLOSES,
  ],
  [
    '20 KB of chunk extension',
    post([...GOOD, 'Transfer-Encoding: chunked'], `2;${'x'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`),
    413,
    'body_too_large',
    CLOSES,
  ],
  ['a bare CR', sized([...GOOD, 'X-A: b\rc']), 400, 'bad_request', CLOSES],
  ['a NUL', sized([...GOOD, 'X-A: b\0c']), 400, 'bad_request', CLOSES],
  ['a folded header', sized([...GOOD, 'X-A: b\r\n c']), 400, 'bad_request', CLOSES],
  ['a bell', sized([...GOOD, 'X-A: b\x07c']), 400, '', CLOSES],
  [
    'obsolete text in the key',
    Buffer.from(sized(['Host: a', 'Authorization: Bearer sk-\xe9', GOOD[2]!]), 'latin1'),
    400,
    'invalid_header',
    CLOSES,
  ],
  ['an empty header name', sized([...GOOD, ': b']), 400, 'bad_request', CLOSES],
  ['a space in a header name', sized([...GOOD, 'X A: b']), 400, 'bad_request', CLOSES],
  [
    '20 KB of one header',
    sized([...GOOD, `X-A: ${'b'.repeat(20_000)}`]),
    431,
    'headers_too_large',
    CLOSES,
  ],
  [
    '2,100 small headers',
    sized([...GOOD, ...new Array<string>(2_100).fill('a:b')]),
    431,
    'headers_too_large',
    CLOSES,
  ],
  ['a long address', get(`/${'a'.repeat(9_000)}`), 414, 'uri_too_long', CLOSES],
  ['HTTP/0.9', 'GET /\r\n\r\n', 400, 'bad_request', CLOSES],
  ['HTTP/9.9', get('/healthz').replace('HTTP/1.1', 'HTTP/9.9'), 400, 'bad_request', CLOSES],
  ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'bad_request', CLOSES],
  [
    'a WebSocket',
    get('/healthz', 'Connection: Upgrade', 'Upgrade: websocket'),
    426,
    'upgrade_not_supported',
    CLOSES,
  ],
  ['random bytes', Buffer.from('16030100d8010000d40303', 'hex'), 400, 'bad_request', CLOSES],
  ['an SSH banner', 'SSH-2.0-OpenSSH_9.2\r\n', 400, 'bad_request', CLOSES],
  ['CONNECT', 'CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n', 405, 'method_not_allowed', CLOSES],
  ['TRACE', get('/v1/chat/completions').replace('GET', 'TRACE'), 405, 'method_not_allowed', STAYS],
  ['GET where only POST is', get('/v1/chat/completions'), 405, 'method_not_allowed', STAYS],
  [
    'another authority as target',
    get('http://169.254.169.254/'),
    400,
    'invalid_request_target',
    CLOSES,
  ],
  ['doubled slashes', get('//v1//models'), 404, 'unknown_endpoint', STAYS],
  ['dots in the path', get('/v1/../admin/v1/keys'), 404, 'unknown_endpoint', STAYS],
  ['encoded dots', get('/v1/%2e%2e/models'), 404, 'unknown_endpoint', STAYS],
  ['an encoded NUL', get('/v1/models%00'), 404, 'unknown_endpoint', STAYS],
  ['a trailing slash', get('/v1/models/'), 404, 'unknown_endpoint', STAYS],
  ['another case', get('/V1/Models'), 404, 'unknown_endpoint', STAYS],
  ['a space after the path', get('/v1/models%20'), 404, 'unknown_endpoint', STAYS],
  ['an endpoint of others', get('/v1/assistants'), 404, 'unknown_endpoint', STAYS],
  ['no key', sized([GOOD[0]!, GOOD[2]!]), 401, 'invalid_api_key', CLOSES],
  ['a key in the query', get(`/v1/models?api_key=${KEY}`), 401, 'invalid_api_key', STAYS],
  ['Basic', get('/v1/models', `Authorization: Basic ${KEY}`), 401, 'invalid_api_key', STAYS],
  ['Bearer and nothing', get('/v1/models', 'Authorization: Bearer'), 401, 'invalid_api_key', STAYS],
  [
    'two spaces after Bearer',
    get('/v1/models', `Authorization: Bearer  ${KEY}`),
    401,
    'invalid_api_key',
    STAYS,
  ],
  [
    'a key of 10 KB',
    get('/v1/models', `x-api-key: ${'k'.repeat(10_000)}`),
    401,
    'invalid_api_key',
    STAYS,
  ],
  ['SQL as a key', get('/v1/models', `x-api-key: ' OR 1=1--`), 401, 'invalid_api_key', STAYS],
  [
    'two Authorizations',
    sized([...GOOD, 'Authorization: Bearer sk-other']),
    400,
    'ambiguous_credentials',
    CLOSES,
  ],
  [
    'two kinds of key that differ',
    sized([...GOOD, 'x-api-key: sk-other']),
    400,
    'ambiguous_credentials',
    CLOSES,
  ],
  [
    'an admin key',
    sized([GOOD[0]!, 'api-key: sk-admin', GOOD[2]!]),
    403,
    'insufficient_permissions',
    CLOSES,
  ],
  ['no content type', sized(GOOD.slice(0, 2)), 415, 'unsupported_media_type', CLOSES],
  [
    'text',
    sized([...GOOD.slice(0, 2), 'Content-Type: text/plain']),
    415,
    'unsupported_media_type',
    CLOSES,
  ],
  [
    'UTF-16',
    sized([...GOOD.slice(0, 2), 'Content-Type: application/json; charset=utf-16']),
    415,
    'unsupported_media_type',
    CLOSES,
  ],
  [
    'a compressed body',
    sized([...GOOD, 'Content-Encoding: gzip']),
    415,
    'unsupported_content_encoding',
    CLOSES,
  ],
  [
    'an announced body over the cap',
    post([...GOOD, 'Content-Length: 100001'], 'x'),
    413,
    'body_too_large',
    CLOSES,
  ],
  [
    'a chunked body over the cap',
    post(
      [...GOOD, 'Transfer-Encoding: chunked'],
      `${(200_000).toString(16)}\r\n${'x'.repeat(200_000)}\r\n`,
    ),
    413,
    'body_too_large',
    CLOSES,
  ],
  [
    '100-continue with a bad key',
    post(
      ['Host: a', 'Expect: 100-continue', 'Content-Type: application/json', 'Content-Length: 9'],
      '',
    ),
    401,
    'invalid_api_key',
    CLOSES,
  ],
  [
    '100-continue over the cap',
    post([...GOOD, 'Expect: 100-continue', 'Content-Length: 100001'], ''),
    413,
    'body_too_large',
    CLOSES,
  ],
  ['another expectation', sized([...GOOD, 'Expect: bogus']), 417, 'expectation_failed', CLOSES],
  [
    'a body that does not come',
    post([...GOOD, 'Content-Length: 100'], '{'),
    408,
    'request_timeout',
    CLOSES,
  ],
  [
    'headers that do not end',
    'GET /healthz HTTP/1.1\r\nHost: a\r\n',
    408,
    'request_timeout',
    CLOSES,
  ],
  [
    'an Idempotency-Key of 256',
    sized([...GOOD, `Idempotency-Key: ${'k'.repeat(256)}`]),
    400,
    'invalid_header',
    CLOSES,
  ],
  [
    'an empty Idempotency-Key',
    sized([...GOOD, 'Idempotency-Key: ']),
    400,
    'invalid_header',
    CLOSES,
  ],
  [
    'a maximal cost that is no number',
    sized([...GOOD, 'x-purser-max-cost-usd: NaN']),
    400,
    'invalid_header',
    CLOSES,
  ],
  ['a body that is no JSON', sized(GOOD, '{'), 400, 'invalid_json', STAYS],
];

const MESSAGES = '"messages":[{"role":"user","content":"hi"}]';
const withMember = (member: string) => `{"model":"m",${MESSAGES},${member}}`;

/** Body, code, param. The connection stays: the framing was right. */
const BODIES: [string | Buffer, string, string | null][] = [
  ['', 'invalid_json', null],
  ['  ', 'invalid_json', null],
  ['null', 'invalid_json', null],
  ['[]', 'invalid_json', null],
  ['"x"', 'invalid_json', null],
  [`${BODY}x`, 'invalid_json', null],
  ["{'model':'m'}", 'invalid_json', null],
  [`{"model":"m",${MESSAGES},"n":NaN}`, 'invalid_json', null],
  [`/* */${BODY}`, 'invalid_json', null],
  [`\ufeff${BODY}`, 'invalid_json', null],
  [Buffer.from(BODY.replace('hi', '\xff'), 'latin1'), 'invalid_encoding', null],
  [Buffer.from(BODY, 'utf16le'), 'invalid_json', null],
  [withMember('"model":"x"'), 'duplicate_key', 'model'],
  [withMember('"metadata":{"a":1,"a":2}'), 'duplicate_key', 'a'],
  [withMember(`"metadata":${'['.repeat(80)}${']'.repeat(80)}`), 'too_deep', null],
  [`{${MESSAGES}}`, 'invalid_value', 'model'],
  [`{"model":"",${MESSAGES}}`, 'invalid_value', 'model'],
  [`{"model":7,${MESSAGES}}`, 'invalid_value', 'model'],
  [`{"model":"${'m'.repeat(10_000)}",${MESSAGES}}`, 'invalid_value', 'model'],
  ['{"model":"m"}', 'invalid_value', 'messages'],
  ['{"model":"m","messages":{}}', 'invalid_value', 'messages'],
  ['{"model":"m","messages":[]}', 'invalid_value', 'messages'],
  ['{"model":"m","messages":[null]}', 'invalid_value', 'messages[0]'],
  ...['0', '-1', '1.5', '"100"', 'true', '1e400', '9007199254740993', '1e308', '[]'].map(
    (value): [string, string, string] => [
      withMember(`"max_tokens":${value}`),
      'invalid_value',
      'max_tokens',
    ],
  ),
  ...['0', '-1', '129', '1.5', '"2"'].map((value): [string, string, string] => [
    withMember(`"n":${value}`),
    'invalid_value',
    'n',
  ]),
  [withMember('"stream":"true"'), 'invalid_value', 'stream'],
  [withMember('"stream":1'), 'invalid_value', 'stream'],
];

describe('a body that is wrong is named and reaches nobody', () => {
  test.each(BODIES)('%s', async (body, code, param) => {
    const before = edge.calls.length;
    const head = post([...GOOD, `Content-Length: ${Buffer.byteLength(body)}`], '');
    const answer = await sendRaw(edge.port, [head, body]);
    const { error } = JSON.parse(answer.body);
    expect([answer.status, error.code, error.param]).toEqual([400, code, param]);
    expect(answer.closed).toBe(false);
    expect(edge.calls.length).toBe(before);
  });
});

describe('bad input is answered by the edge and reaches nobody', () => {
  test.each(ROWS)('%s', async (_name, request, status, code, closes) => {
    const before = edge.calls.length;
    const answer = await sendRaw(edge.port, request, { untilClose: closes });
    expect(answer.status).toBe(status);
    expect(answer.closed).toBe(closes);
    expect(answer.reset).toBe(false);
    expect(edge.calls.length).toBe(before);
    if (code !== '') {
      const body = JSON.parse(answer.body) as { error: { code: string; message: string } };
      expect(body.error.code).toBe(code);
      expect(body.error.message.length).toBeGreaterThan(5);
      expect(answer.headers['content-type']).toBe('application/json');
    }
    expect(answer.text).not.toContain('100 Continue');
    expect(edge.errors).toEqual([]);
  });
});
