// The yardstick: node:http in, undici dispatch out, nothing else. What a gateway costs above this
// is what its own work costs. Arguments: the upstream's port.
import { createServer } from 'node:http';
import { Pool } from 'undici';

const pool = new Pool(`http://127.0.0.1:${process.argv[2]}`, { connections: 256, pipelining: 1 });
const server = createServer((incoming, outgoing) => {
  const chunks = [];
  incoming.on('data', (chunk) => chunks.push(chunk));
  incoming.on('end', () => {
    const body = Buffer.concat(chunks);
    pool.dispatch(
      {
        path: '/v1/chat/completions',
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: 'Bearer upstream' },
        body,
      },
      {
        onRequestStart() {},
        onResponseStart(_controller, status, headers) {
          outgoing.writeHead(status, {
            'content-type': headers['content-type'],
            ...(headers['content-length'] ? { 'content-length': headers['content-length'] } : {}),
          });
        },
        onResponseData(_controller, chunk) {
          outgoing.write(chunk);
        },
        onResponseEnd() {
          outgoing.end();
        },
        onResponseError(_controller, error) {
          outgoing.destroy(error);
        },
      },
    );
  });
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${server.address().port}\n`);
});
process.on('disconnect', () => process.exit(0));
