// Answers for what never became a request: the parser refused it, so there is only a socket. The
// answer is minimal and the connection ends with it.

import type { Socket } from 'node:net';
import { ERROR_CODES, type Problem, refuse } from '../../core/errors.js';
import { openaiError } from '../../rules/dialects/problem-json.js';

const FLUSH_MS = 1_000;

/** The parser's error as one of ours. */
export function parserProblem(error: Error): Problem {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'HPE_HEADER_OVERFLOW':
      return refuse('headers_too_large', 'The headers are too large.').refused;
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return refuse('body_too_large', 'The chunk extensions are too large.').refused;
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return refuse('request_timeout', 'The request did not arrive in time.').refused;
    default:
      return refuse('bad_request', 'This is not a well-formed HTTP/1.1 request.').refused;
  }
}

export function answerRawProblem(socket: Socket, problem: Problem): void {
  const status = problem.status ?? ERROR_CODES[problem.code].status;
  const body = JSON.stringify({ error: openaiError(problem) });
  const head = [
    `HTTP/1.1 ${status} ${REASONS[status] ?? 'Bad Request'}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  const timer = setTimeout(() => socket.destroy(), FLUSH_MS).unref();
  socket.once('close', () => clearTimeout(timer));
  socket.on('error', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  socket.resume();
}

const REASONS: Record<number, string> = {
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  431: 'Request Header Fields Too Large',
};
