// Requests as bytes, plain ones and ones that a proxy and a server could read differently.

import { KEY } from './edge.js';

export const BODY = '{"model":"m","messages":[{"role":"user","content":"hi"}]}';
export const TARGET = 'POST /v1/chat/completions HTTP/1.1';
export const LINES: readonly string[] = [
  'Host: purser',
  `Authorization: Bearer ${KEY}`,
  'Content-Type: application/json',
  `Content-Length: ${BODY.length}`,
];

export function requestOf(lines: readonly string[], body = BODY, target = TARGET): string {
  return `${[target, ...lines].join('\r\n')}\r\n\r\n${body}`;
}

const without = (name: string) => LINES.filter((line) => !line.startsWith(name));
const CHUNKED = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`;

/** What the lane reads by itself. */
export const PLAIN: readonly (readonly [string, string])[] = [
  ['the plain case', requestOf(LINES)],
  ['no space after a colon', requestOf([...without('Host'), 'Host:purser'])],
  ['spaces around a value', requestOf([...without('Host'), 'Host:   purser  '])],
  ['an empty value', requestOf([...LINES, 'x-purser-person:'])],
  ['names in any case', requestOf(LINES.map((line) => line.toUpperCase().replace(/SK-.*/, KEY)))],
  ['a query', requestOf(LINES, BODY, TARGET.replace(' HTTP', '?beta=true&a=%2F HTTP'))],
  ['another door', requestOf(LINES, BODY, 'POST /openai/v1/messages/count_tokens HTTP/1.1')],
  ['no body', requestOf([...without('Content-Length'), 'Content-Length: 0'], '')],
  ['keep-alive', requestOf([...LINES, 'Connection: Keep-Alive'])],
  ['close', requestOf([...LINES, 'Connection: close'])],
  ['a host with a port', requestOf([...without('Host'), 'Host: [::1]:8787'])],
  ['128 headers', requestOf([...LINES, ...Array.from({ length: 124 }, (_, i) => `x-${i}: a`)])],
];

/** What it leaves to Node. */
export const ODD: readonly (readonly [string, string | Buffer])[] = [
  ['nothing', ''],
  ['half a head', requestOf(LINES).slice(0, 80)],
  ['a head without its empty line', `${[TARGET, ...LINES].join('\r\n')}\r\n`],
  ['an empty line first', `\r\n${requestOf(LINES)}`],
  ['another method', requestOf(LINES, BODY, TARGET.replace('POST', 'PUT'))],
  ['a method in small letters', requestOf(LINES, BODY, TARGET.replace('POST', 'post'))],
  ['another door', requestOf(LINES, BODY, 'POST /v1/budget/quote HTTP/1.1')],
  ['a slash too many', requestOf(LINES, BODY, 'POST /v1//chat/completions HTTP/1.1')],
  ['an encoded path', requestOf(LINES, BODY, 'POST /v1/chat%2Fcompletions HTTP/1.1')],
  ['a fragment', requestOf(LINES, BODY, TARGET.replace(' HTTP', '#a HTTP'))],
  ['an absolute target', requestOf(LINES, BODY, TARGET.replace('/v1', 'http://a/v1'))],
  ['HTTP/1.0', requestOf(LINES, BODY, TARGET.replace('1.1', '1.0'))],
  ['HTTP/2.0', requestOf(LINES, BODY, TARGET.replace('1.1', '2.0'))],
  ['no version', requestOf(LINES, BODY, 'POST /v1/chat/completions')],
  ['two spaces', requestOf(LINES, BODY, TARGET.replace(' /', '  /'))],
  ['a tab in the first line', requestOf(LINES, BODY, TARGET.replace(' /', '\t/'))],
  ['no Host', requestOf(without('Host'))],
  ['two Hosts', requestOf([...LINES, 'Host: purser'])],
  ['an empty Host', requestOf([...without('Host'), 'Host:'])],
  ['a Host with a path', requestOf([...without('Host'), 'Host: a/b'])],
  ['no length', requestOf(without('Content-Length'))],
  ['two lengths', requestOf([...LINES, 'Content-Length: 2'])],
  ['two equal lengths', requestOf([...LINES, LINES[3]!])],
  ['a list of lengths', requestOf([...without('Content-Length'), 'Content-Length: 57, 57'])],
  ['a signed length', requestOf([...without('Content-Length'), 'Content-Length: +57'])],
  ['a length with a zero', requestOf([...without('Content-Length'), 'Content-Length: 057'])],
  ['a length in hex', requestOf([...without('Content-Length'), 'Content-Length: 0x39'])],
  ['a length with a fraction', requestOf([...without('Content-Length'), 'Content-Length: 57.0'])],
  ['a length of 2^64', requestOf([...without('Content-Length'), `Content-Length: ${2n ** 64n}`])],
  ['length and coding', requestOf([...LINES, 'Transfer-Encoding: chunked'], CHUNKED)],
  ['coding', requestOf([...without('Content-Length'), 'Transfer-Encoding: chunked'], CHUNKED)],
  ['a hidden coding', requestOf([...LINES, 'Transfer-Encoding:\x0bchunked'], CHUNKED)],
  ['a coding with a space', requestOf([...LINES, 'Transfer-Encoding : chunked'], CHUNKED)],
  ['a coding of two', requestOf([...LINES, 'Transfer-Encoding: gzip, chunked'], CHUNKED)],
  ['a folded coding', requestOf([...LINES, 'X-A: b\r\n Transfer-Encoding: chunked'], CHUNKED)],
  ['a coding after a bare LF', requestOf([...LINES, 'X-A: b\nTransfer-Encoding: chunked'])],
  ['a coding after a bare CR', requestOf([...LINES, 'X-A: b\rTransfer-Encoding: chunked'])],
  ['lines that end in LF', requestOf(LINES).replaceAll('\r\n', '\n')],
  ['a tab in a value', requestOf([...LINES, 'X-A: b\tc'])],
  ['a NUL in a value', requestOf([...LINES, 'X-A: b\0c'])],
  ['obsolete text', Buffer.from(requestOf([...LINES, 'X-A: \xe9']), 'latin1')],
  ['a line without a colon', requestOf([...LINES, 'X-A'])],
  ['a line without a name', requestOf([...LINES, ': b'])],
  ['a space in a name', requestOf([...LINES, 'X A: b'])],
  ['a name of a prototype', requestOf([...LINES, '__proto__: b'])],
  ['a header twice', requestOf([...LINES, 'X-A: b', 'x-a: c'])],
  ['two keys', requestOf([...LINES, 'Authorization: Bearer other'])],
  ['Expect', requestOf([...LINES, 'Expect: 100-continue'])],
  ['Upgrade', requestOf([...LINES, 'Connection: upgrade', 'Upgrade: websocket'])],
  ['h2c', requestOf([...LINES, 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c'])],
  ['more than one connection word', requestOf([...LINES, 'Connection: keep-alive, x-a'])],
  ['an empty connection word', requestOf([...LINES, 'Connection: '])],
  ['a proxy connection', requestOf([...LINES, 'Proxy-Connection: close'])],
  ['TE', requestOf([...LINES, 'TE: trailers', 'Connection: TE'])],
  ['Trailer', requestOf([...LINES, 'Trailer: authorization'])],
  ['129 headers', requestOf([...LINES, ...Array.from({ length: 125 }, (_, i) => `x-${i}: a`)])],
  ['17 KB of headers', requestOf([...LINES, `X-A: ${'b'.repeat(17_000)}`])],
  ['9 KB of query', requestOf(LINES, BODY, TARGET.replace(' HTTP', `?${'a'.repeat(9_000)} HTTP`))],
  ['a TLS hello', Buffer.from('16030100d8010000d40303', 'hex')],
];
