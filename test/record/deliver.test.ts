// Notices on their way to a real receiver: who fails is tried again later and later, ten times,
// and then left alone; two that deliver at once bring each notice once.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeAll, expect } from 'vitest';
import { realClock } from '#src/drivers/clock.js';
import { postWebhook } from '#src/drivers/webhook.js';
import { createDelivery } from '#src/flows/upkeep/deliver.js';
import { createNoticeQueue, enqueueNotice } from '#src/stores/notices.js';
import { eachDatabase, warmPglite } from '../support/databases.js';
import { testLog } from '../support/log.js';

beforeAll(warmPglite, 120_000);

async function openReceiver(status: () => number) {
  const ids: string[] = [];
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      ids.push(String(request.headers['webhook-id']));
      response.writeHead(status()).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return { ids, url, close: () => new Promise((resolve) => server.close(resolve)) };
}

const news = (number: number) => ({
  type: 'key.revoked',
  key: `key.revoked/${number}`,
  title: 'A key was revoked',
  message: 'It works no more.',
  severity: 'warning' as const,
  about: { number },
});

eachDatabase('what nobody takes is tried ten times and is then a dead letter', async (fresh) => {
  const { database } = fresh;
  let status = 503;
  const receiver = await openReceiver(() => status);
  const log = testLog();
  const hook = { name: 'webhook 1', kind: 'webhook' as const, url: receiver.url, secret: 'AAAA' };
  const delivery = createDelivery({
    ...{ queue: createNoticeQueue(database), destinations: [hook], post: postWebhook },
    ...{ clock: realClock, log, everyMs: 1_000 },
  });
  await enqueueNotice(database, news(1), 0);
  await enqueueNotice(database, news(1), 0);
  const waits: number[] = [];
  for (let tries = 1; tries <= 10; tries += 1) {
    expect(await delivery.round()).toBe(1);
    expect(await delivery.round(), 'not before its time').toBe(0);
    const [row] = await database.query<{ wait: number }>(
      `select extract(epoch from next_attempt_at - now())::float8 as wait from outbox
       where destination is not null`,
    );
    waits.push(Math.round(row!.wait));
    await database.run('update outbox set next_attempt_at = now()');
  }
  expect(waits.slice(0, 7)).toEqual([1, 4, 16, 64, 256, 1024, 3600]);
  expect(new Set(receiver.ids).size, 'one id however often it is tried').toBe(1);
  expect(receiver.ids).toHaveLength(10);
  status = 204;
  expect(await delivery.round()).toBe(0);
  const [dead] = await database.query(
    `select attempts, last_error as error, dead_at is not null as dead, delivered_at
     from outbox where destination is not null`,
  );
  expect(dead).toEqual({ attempts: 10, error: 'it answered 503', dead: true, delivered_at: null });
  await receiver.close();
});

eachDatabase('several that deliver at once bring each notice once', async ({ database }) => {
  const receiver = await openReceiver(() => 204);
  const hook = { name: 'webhook 1', kind: 'webhook' as const, url: receiver.url, secret: 'AAAA' };
  const deliveries = [1, 2, 3].map(() =>
    createDelivery({
      ...{ queue: createNoticeQueue(database), destinations: [hook], post: postWebhook },
      ...{ clock: realClock, log: testLog(), everyMs: 1_000 },
    }),
  );
  const told = Array.from({ length: 60 }, (_, number) => news(number % 30));
  await Promise.all(told.map((one) => enqueueNotice(database, one, 0)));
  let brought = 1;
  while (brought > 0) {
    const rounds = await Promise.all(deliveries.map((delivery) => delivery.round()));
    brought = rounds.reduce((sum, count) => sum + count, 0);
  }
  expect(receiver.ids).toHaveLength(30);
  expect(new Set(receiver.ids).size).toBe(30);
  await receiver.close();
});
