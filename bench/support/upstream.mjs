// The upstream of a bench where there is no C compiler: what upstream.c does, on raw sockets, and
// heavier. Arguments: intervalMs=. It prints its port and ends with its parent's signal.
import { createServer } from 'node:net';

const intervalMs = Number(/^intervalMs=(.+)$/.exec(process.argv[2] ?? '')?.[1] ?? 20);
const chunkOf = (text) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const event = (inside) =>
  `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1,"model":"echo",${inside}}\n\n`;
const delta =
  '"choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}],"obfuscation":"t=';
const streamHead =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n';
const nowUs = () => String(process.hrtime.bigint() / 1000n).padStart(16, '0');
const usage = (bytes, output) => {
  const prompt = Math.floor(bytes / 4) + 1;
  return `"usage":{"prompt_tokens":${prompt},"completion_tokens":${output},"total_tokens":${prompt + output}}`;
};

function answer(socket, body) {
  if (body.includes('"stream":true')) return stream(socket, body);
  const text =
    '{"id":"chatcmpl-bench","object":"chat.completion","created":1,"model":"echo","choices":[{"index":0,' +
    `"message":{"role":"assistant","content":"${'x'.repeat(560)}"},"finish_reason":"stop"}],${usage(body.length, 140)}}`;
  socket.write(
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
  );
}

function stream(socket, body) {
  const events = Number(/"max_tokens":(\d+)/.exec(body.latin1Slice())?.[1] ?? 16);
  let left = events;
  const one = () => chunkOf(event(`${delta}${nowUs()}"`));
  socket.write(streamHead + one());
  const timer = setInterval(() => {
    if (socket.destroyed) return clearInterval(timer);
    left -= 1;
    if (left > 0) return socket.write(one());
    clearInterval(timer);
    const stop = event('"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]');
    const last = event(`"choices":[],${usage(body.length, events)}`);
    socket.write(`${chunkOf(`${stop}${last}data: [DONE]\n\n`)}0\r\n\r\n`);
  }, intervalMs);
}

const server = createServer((socket) => {
  socket.setNoDelay(true);
  let parts = [];
  let length = 0;
  let wanted = 0;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    parts.push(chunk);
    length += chunk.length;
    while (length > 0 && length >= wanted) {
      const held = parts.length === 1 ? parts[0] : Buffer.concat(parts, length);
      parts = [held];
      const head = held.indexOf('\r\n\r\n') + 4;
      if (head < 4) return;
      const size = Number(/content-length: *(\d+)/i.exec(held.latin1Slice(0, head))?.[1] ?? 0);
      wanted = head + size;
      if (length < wanted) return;
      answer(socket, held.subarray(head, wanted));
      parts = [held.subarray(wanted)];
      length -= wanted;
      wanted = 0;
    }
  });
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  process.stdout.write(`${server.address().port}\n`);
});
