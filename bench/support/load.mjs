// A closed-loop load generator on raw sockets: N connections, one request at a time on each, for
// some seconds. Arguments: a JSON of {port, path, key, body, connections, seconds}; prints a JSON
// of requests, failures and latencies in microseconds.
import { connect } from 'node:net';

const { port, path, key, body, connections, seconds } = JSON.parse(process.argv[2]);
const request = Buffer.from(
  `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\n` +
    `authorization: Bearer ${key}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
);
const latencies = [];
let failures = 0;
let stopped = false;

function open() {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.setNoDelay(true);
    let held = Buffer.alloc(0);
    let startedAt = 0;
    const ask = () => {
      if (stopped) {
        socket.end();
        return resolve();
      }
      startedAt = performance.now();
      socket.write(request);
    };
    socket.on('connect', ask);
    socket.on('error', () => {
      failures += 1;
      resolve();
    });
    socket.on('close', resolve);
    socket.on('data', (chunk) => {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const whole = answerLength(held);
      if (whole < 0 || held.length < whole) return;
      if (held.latin1Slice(9, 12) !== '200') failures += 1;
      held = held.subarray(whole);
      latencies.push(performance.now() - startedAt);
      ask();
    });
  });
}

// Content-length, or chunked and ended by its last chunk.
function answerLength(bytes) {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return -1;
  const head = bytes.latin1Slice(0, end).toLowerCase();
  const length = /content-length: (\d+)/.exec(head);
  if (length) return end + 4 + Number(length[1]);
  const last = bytes.indexOf('0\r\n\r\n', end + 4);
  return last < 0 ? -1 : last + 5;
}

const startedAt = performance.now();
setTimeout(() => {
  stopped = true;
}, seconds * 1000);
await Promise.all(Array.from({ length: connections }, open));
const elapsedS = (performance.now() - startedAt) / 1000;
latencies.sort((a, b) => a - b);
const at = (share) => Math.round((latencies[Math.floor(latencies.length * share)] ?? 0) * 1000);
process.stdout.write(
  `${JSON.stringify({ requests: latencies.length, failures, perSecond: latencies.length / elapsedS, p50Us: at(0.5), p99Us: at(0.99) })}\n`,
);
