// The head of an HTTP/1.1 request. A name or value that could end its line is refused whole, so
// that nothing of a call can become a header or a request of its own.

import { isHeaderName, isHeaderValue } from '../core/header-text.js';

// Framing, the connection and what may be decoded are ours to say.
const OURS = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'accept-encoding',
]);

// Calls of one kind have one object of headers, which nobody changes.
const written = new WeakMap<Readonly<Record<string, string>>, string>();

/** `bytes`: of the body; null where there is none. Undefined if a header may not be written. */
export function writeRequestHead(
  method: string,
  { host, path }: { host: string; path: string },
  headers: Readonly<Record<string, string>>,
  bytes: number | null,
): string | undefined {
  const lines = written.get(headers) ?? writeLines(headers);
  if (lines === undefined) return undefined;
  const length = bytes === null ? '' : `content-length: ${bytes}\r\n`;
  return `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${lines}${length}\r\n`;
}

function writeLines(headers: Readonly<Record<string, string>>): string | undefined {
  let lines = 'connection: keep-alive\r\n';
  for (const name in headers) {
    if (OURS.has(name)) continue;
    const value = headers[name]!;
    if (!isHeaderName(name) || !isHeaderValue(value)) return undefined;
    lines += `${name}: ${value}\r\n`;
  }
  lines += 'accept-encoding: identity\r\n';
  written.set(headers, lines);
  return lines;
}
