// The load of a bench where there is no C compiler: what load.c does, with its arguments and its
// answer, and heavier; timers of a millisecond make its open loop coarser.
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

const given = Object.fromEntries(process.argv.slice(2).map((text) => text.split(/=(.*)/s)));
const number = (name, otherwise) => Number(given[name] ?? otherwise);
const [port, connections, seconds] = [
  number('port'),
  number('connections', 1),
  number('seconds', 1),
];
const [rate, openRate, status] = [number('rate', 0), number('openRate', 0), number('status', 200)];
const [sources, tell] = [number('sources', 1), number('tell', 0)];
const request = readFileSync(given.request);
const marks = [];
for (
  let at = request.indexOf('~'.repeat(16));
  at >= 0;
  at = request.indexOf('~'.repeat(16), at + 16)
) {
  marks.push(at);
}

const [latencies, lates, firsts, delays] = [[], [], [], []];
const idle = [];
let [failures, completed, streaming, sent, chunks] = [0, 0, 0, 0, 0];
let unique = Math.floor(performance.timeOrigin * 1000);
let beginMs = rate > 0 ? undefined : performance.now();
let endMs = performance.now() + seconds * 1000;
const countMs = performance.now() + number('warm', 0) * 1000;
let finish;
const finished = new Promise((resolve) => {
  finish = resolve;
});

function fail(why) {
  failures += 1;
  if (failures <= 3) process.stderr.write(`load: a request failed: ${why}\n`);
}

function open(index) {
  const localAddress = sources > 1 ? `127.0.0.${2 + (index % sources)}` : undefined;
  const socket = connect({ port, host: '127.0.0.1', ...(localAddress ? { localAddress } : {}) });
  socket.setNoDelay(true);
  const conn = {
    socket,
    held: Buffer.alloc(0),
    busy: false,
    seen: false,
    intendedMs: 0,
    own: request,
  };
  if (marks.length > 0) conn.own = Buffer.from(request);
  socket.on('connect', () => next(conn));
  socket.on('error', (error) => fail(error.code));
  socket.on('data', (chunk) => take(conn, chunk));
  socket.on('close', () => {
    if (conn.busy && performance.now() < endMs) fail('the connection ended early');
    conn.busy = false;
    if (performance.now() < endMs) open(index);
  });
}

function next(conn) {
  conn.busy = false;
  const now = performance.now();
  if (now >= endMs) return;
  if (rate <= 0) return start(conn, now);
  idle.push(conn);
  if (beginMs === undefined && idle.length === connections) {
    beginMs = now;
    endMs = now + seconds * 1000;
    setTimeout(finish, seconds * 1000 + 100);
  }
}

function sendDue() {
  while (beginMs !== undefined && rate > 0 && idle.length > 0) {
    const dueMs = beginMs + (sent * 1000) / rate;
    if (dueMs > performance.now() || dueMs >= endMs) return;
    sent += 1;
    start(idle.pop(), dueMs);
  }
}

function start(conn, intendedMs) {
  for (const mark of marks) conn.own.write(String(++unique).padStart(16, '0'), mark, 'latin1');
  lates.push((performance.now() - intendedMs) * 1000);
  Object.assign(conn, { intendedMs, busy: true, seen: false, held: Buffer.alloc(0) });
  conn.socket.write(conn.own);
}

function take(conn, chunk) {
  look(conn, chunk);
  conn.held = conn.held.length === 0 ? chunk : Buffer.concat([conn.held.subarray(-65536), chunk]);
  const whole = answerEnd(conn);
  if (!whole) return;
  if (conn.seen) streaming -= 1;
  if (conn.status !== status) fail(`status ${conn.status}`);
  else if (performance.now() <= endMs) completed += 1;
  latencies.push((performance.now() - conn.intendedMs) * 1000);
  conn.status = undefined;
  next(conn);
  sendDue();
}

// An event that two reads share is not counted here.
function look(conn, chunk) {
  const nowUs = Number(process.hrtime.bigint() / 1000n);
  const counted = performance.now() >= countMs;
  for (let at = chunk.indexOf('"t='); at >= 0; at = chunk.indexOf('"t=', at + 3)) {
    if (counted) chunks += 1;
    if (counted) delays.push(Math.max(0, nowUs - Number(chunk.latin1Slice(at + 3, at + 19))));
    if (conn.seen) continue;
    conn.seen = true;
    firsts.push((performance.now() - conn.intendedMs) * 1000);
    streaming += 1;
    if (streaming === tell) process.stdout.write(`streaming ${tell}\n`);
  }
}

function answerEnd(conn) {
  if (conn.status === undefined) {
    const end = conn.held.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const head = conn.held.latin1Slice(0, end);
    conn.status = Number(head.slice(9, 12));
    const length = /content-length: *(\d+)/i.exec(head);
    conn.length = length ? end + 4 + Number(length[1]) : undefined;
  }
  if (conn.length !== undefined) return conn.held.length >= conn.length;
  return conn.held.subarray(-5).latin1Slice() === '0\r\n\r\n';
}

let dialled = 0;
const opening = number('opening', 0);
setInterval(() => {
  while (opening > 0 && dialled < connections && dialled - streaming < opening) open(dialled++);
}, 2);
for (let index = 0; index < connections && opening === 0; index += 1) {
  if (openRate > 0) setTimeout(() => open(index), (index * 1000) / openRate);
  else open(index);
}
setInterval(sendDue, 1);
if (rate <= 0) setTimeout(finish, seconds * 1000);
process.on('SIGTERM', finish);
await finished;

const at = (list, share) =>
  Math.round(list[Math.min(list.length - 1, Math.floor(list.length * share))] ?? 0);
const print = (name, list) => {
  list.sort((a, b) => a - b);
  return {
    [`${name}P50Us`]: at(list, 0.5),
    [`${name}P99Us`]: at(list, 0.99),
    [`${name}MostUs`]: at(list, 1),
  };
};
const elapsedS = (Math.min(performance.now(), endMs) - (beginMs ?? 0)) / 1000;
const { user, system } = process.cpuUsage();
process.stdout.write(
  `${JSON.stringify({
    ...{ requests: latencies.length, failures, perSecond: completed / elapsedS },
    ...{ ...print('latency', latencies), ...print('late', lates) },
    ...{ ...print('first', firsts), ...print('delay', delays) },
    ...{ streams: firsts.length, chunks, chunksPerSecond: chunks / (elapsedS - number('warm', 0)) },
    ...{ cpuUs: user + system, seconds: elapsedS },
  })}\n`,
);
process.exit(0);
