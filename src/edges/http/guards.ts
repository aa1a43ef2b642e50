// What Node's parser lets through and this server does not take: framing that another server
// might read differently, targets that are no path, methods that nobody serves. A request that
// fails here is answered and its connection closed, before any route is looked at.

import type { IncomingMessage } from 'node:http';
import { type Problem, refuse } from '../../core/errors.js';

export interface GuardOptions {
  headersMax: number;
  urlBytesMax: number;
}

export type GuardedRequest = Pick<
  IncomingMessage,
  'method' | 'url' | 'rawHeaders' | 'httpVersionMajor' | 'httpVersionMinor'
>;

const HOST = /^[\w.\-:[\]]*$/;
const READABLE = /^[\t\x20-\x7e]*$/;
// Obsolete text in a header that is read or travels on would be read differently elsewhere.
const READ_HEADERS =
  /^(authorization$|x-api-key$|api-key$|idempotency-key$|x-purser-|openai-|anthropic-|accept$)/;

/** Why the connection must not go on; undefined where all is well. */
export function guardRequest(request: GuardedRequest, options: GuardOptions): Problem | undefined {
  return guardTarget(request, options) ?? guardHeaders(request, options);
}

function guardTarget(request: GuardedRequest, options: GuardOptions): Problem | undefined {
  const url = request.url ?? '';
  if (request.httpVersionMajor !== 1 || request.httpVersionMinor > 1) {
    return bad('bad_request', 'Only HTTP/1.1 and HTTP/1.0 are spoken here.');
  }
  if (url.length > options.urlBytesMax) {
    return bad('uri_too_long', `The address is longer than ${options.urlBytesMax} bytes.`);
  }
  if (!url.startsWith('/') && !(url === '*' && request.method === 'OPTIONS')) {
    return bad('invalid_request_target', 'The request target must be a path.');
  }
  return undefined;
}

function guardHeaders(request: GuardedRequest, options: GuardOptions): Problem | undefined {
  const raw = request.rawHeaders;
  if (raw.length > options.headersMax * 2) {
    return bad('headers_too_large', `More than ${options.headersMax} headers.`);
  }
  let hosts = 0;
  let codings = 0;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index]!.toLowerCase();
    const value = raw[index + 1]!;
    if (name === 'host') {
      hosts += 1;
      if (!HOST.test(value)) return bad('invalid_host', 'The Host header is not a host.');
    } else if (name === 'transfer-encoding') {
      codings += 1;
      const problem = guardCoding(value, request.httpVersionMinor);
      if (problem) return problem;
    } else if (!READABLE.test(value) && READ_HEADERS.test(name)) {
      return bad('invalid_header', `The header ${name} has characters outside ASCII.`);
    }
  }
  if (hosts > 1) return bad('invalid_host', 'More than one Host header.');
  if (codings > 1) return bad('bad_framing', 'More than one Transfer-Encoding header.');
  return undefined;
}

function guardCoding(value: string, httpVersionMinor: number): Problem | undefined {
  if (httpVersionMinor === 0) {
    return bad('bad_framing', 'HTTP/1.0 has no Transfer-Encoding.');
  }
  const codings = value.toLowerCase().split(',');
  if (codings.length === 1 && codings[0]?.trim() === 'chunked') return undefined;
  if (codings.some((coding) => coding.trim() === '')) {
    return bad('bad_framing', 'An empty transfer coding.');
  }
  return bad('unsupported_transfer_encoding', 'Only the transfer coding "chunked" is understood.');
}

function bad(code: Problem['code'], message: string): Problem {
  return refuse(code, message).refused;
}
