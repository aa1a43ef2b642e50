// A gateway without a gateway: calls that are sent, beat and end in the spool, as fast as they go,
// until it is killed. Each line on stdout is what a client of it knows: `sent <id>` once the first
// byte may go out, `ended <id> <cost>` once the last one may.

import { NOTHING } from '#src/core/amount.js';
import { uuidV7 } from '#src/core/id.js';
import { realClock } from '#src/drivers/clock.js';
import { diskFiles } from '#src/drivers/log-files.js';
import { openSpoolLog } from '#src/stores/spool-log.js';

const [dir, callsAtOnce = '20'] = process.argv.slice(2);
const spool = await openSpoolLog({
  files: diskFiles(dir),
  clock: realClock,
  segmentBytes: 64 * 1024,
  bytesMax: 1 << 28,
  queueBytesMax: 1 << 25,
  retryMs: 50,
  onHighWater() {},
  onDamage() {},
  onTrouble(error) {
    process.stderr.write(`${error}\n`);
  },
  memoryBytesMax: 1 << 16,
  keepDrainedMs: 86_400_000,
  replayBytes: 64 * 1024,
});
const stub = {
  attribution: { agentName: 'coder-1' },
  provider: 'sandbox',
  model: 'echo',
  priceVersion: 'p',
  startedAtMs: 0,
  stream: true,
  requestId: 'r',
};
const line = { envelope: 'limit:global', label: '2026-11', unit: 'nano_usd', mode: 'block' };
let seq = 0;

async function call() {
  const id = uuidV7(realClock.nowMs());
  const floor = { ...NOTHING, nano_usd: 10 };
  const lines = [{ ...line, amount: 1000, limit: null, version: 1 }];
  await spool.sent({ id, lines, stub: JSON.stringify(stub), floor });
  process.stdout.write(`sent ${id}\n`);
  const cost = 100 + (seq % 900);
  spool.seen([{ id, seen: { ...NOTHING, nano_usd: 50 } }]);
  await new Promise((resolve) => setTimeout(resolve, seq % 5));
  seq += 1;
  if (seq % 10 === 0) {
    spool.released(id);
    return;
  }
  const booked = [{ e: 'limit:global', l: '2026-11', u: 'nano_usd', a: cost, o: 0 }];
  const event = { id, kind: 'base', lines: booked, stub, seq, epoch: 1, atMs: realClock.nowMs() };
  await spool.ended(event, 'fsync');
  process.stdout.write(`ended ${id} ${cost}\n`);
}

for (let i = 0; i < Number(callsAtOnce); i += 1) {
  void (async () => {
    for (;;) await call();
  })();
}
