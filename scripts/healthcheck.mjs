// Asks the gateway on this machine whether it lives; the exit code is the answer. For containers.

import { get } from 'node:http';

const port = process.env.PURSER_PORT || process.env.PORT || '8787';
const request = get({ host: '127.0.0.1', port, path: '/healthz', timeout: 2000 }, (response) => {
  response.resume();
  process.exit(response.statusCode === 200 ? 0 : 1);
});
request.on('timeout', () => request.destroy(new Error('no answer within 2 s')));
request.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
