// The yardstick: node:http in, undici dispatch out, back-pressure and aborts passed on, nothing
// else. What a gateway costs above this is what its own work costs. Arguments: the upstream's port.
import { createServer } from 'node:http';
import { Pool } from 'undici';

const pool = new Pool(`http://127.0.0.1:${process.argv[2]}`, { connections: null, pipelining: 1 });
const server = createServer((incoming, outgoing) => {
  const chunks = [];
  incoming.on('data', (chunk) => chunks.push(chunk));
  incoming.on('end', () => forward(Buffer.concat(chunks), outgoing));
});

function forward(body, outgoing) {
  let control;
  outgoing.on('close', () => {
    if (!outgoing.writableFinished) control?.abort(new Error('the client left'));
  });
  pool.dispatch(
    {
      path: '/v1/chat/completions',
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer upstream' },
      body,
    },
    {
      onRequestStart(controller) {
        control = controller;
      },
      onResponseStart(_controller, status, headers) {
        outgoing.writeHead(status, {
          'content-type': headers['content-type'],
          ...(headers['content-length'] ? { 'content-length': headers['content-length'] } : {}),
        });
      },
      onResponseData(controller, chunk) {
        if (outgoing.write(chunk)) return;
        controller.pause();
        outgoing.once('drain', () => controller.resume());
      },
      onResponseEnd() {
        outgoing.end();
      },
      onResponseError() {
        outgoing.destroy();
      },
    },
  );
}

server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  process.stdout.write(`${server.address().port}\n`);
});
