// Notices over a real socket to a real receiver: thresholds, used-up budgets, revoked keys; once
// each, signed, also after the receiver has failed.

import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { answering, type Story, startStory } from '../support/gateway.js';
import { ASK, admin, call } from '../support/policy.js';

vi.setConfig({ testTimeout: 60_000 });

const SECRET = Buffer.from('a secret of both sides').toString('base64');

interface Got {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

let story: Story;
let got: Got[];
let refuseNext: number;
let wake: () => void;
const receiver = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  if (refuseNext > 0) {
    refuseNext -= 1;
    response.writeHead(503).end();
    return;
  }
  got.push({ path: request.url ?? '', headers: request.headers, body });
  response.writeHead(204).end();
  wake();
});

async function until(count: number): Promise<void> {
  while (got.length < count) {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
}

beforeEach(async () => {
  got = [];
  refuseNext = 0;
  wake = () => {};
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await story.end();
  await new Promise((resolve) => receiver.close(resolve));
});

test('each threshold is told once to each receiver, signed, however often it fails', async () => {
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  story = await startStory({
    limits: [
      { scope: 'global', amount_requests: 5, period: 'monthly', alert_thresholds: [0.5] },
      { scope: 'agent', agent: 'coder-1', amount_usd: 100, period: 'daily' },
    ],
    config: {
      notices: {
        webhooks: [{ url: `${url}/hook`, secret: `whsec_${SECRET}` }],
        slack: [{ url: `${url}/slack`, events: ['budget.exhausted'] }],
      },
    },
  });
  story.upstream.plan(answering({ prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }));
  refuseNext = 2;
  for (let index = 0; index < 5; index += 1) expect(await call(story)).toBe(200);
  const last = await story.post(ASK);
  expect(last.status).toBe(402);
  await story.gateway.drained();
  // 0.5, 0.8 and 1 to the webhook, 1 to Slack.
  await until(4);
  const { data } = await admin(story, 'GET', '/keys');
  const key = data.find((one: { kind: string }) => one.kind === 'agent');
  await admin(story, 'POST', `/keys/${key.id}/revoke`);
  await until(5);

  const hooks = got.filter(({ path }) => path === '/hook');
  const told = hooks.map(({ body }) => {
    const { type, data } = JSON.parse(body) as { type: string; data: { threshold?: number } };
    return `${type} ${data.threshold ?? ''}`.trim();
  });
  expect(told.sort()).toEqual([
    'budget.exhausted 1',
    'budget.threshold_reached 0.5',
    'budget.threshold_reached 0.8',
    'key.revoked',
  ]);
  for (const { headers, body } of hooks) {
    const told = new Webhook(`whsec_${SECRET}`).verify(body, headers as Record<string, string>);
    expect(told).toEqual(JSON.parse(body));
    const other = new Webhook(`whsec_${Buffer.from('another secret').toString('base64')}`);
    expect(() => other.verify(body, headers as Record<string, string>)).toThrow();
  }
  expect(new Set(hooks.map(({ headers }) => headers['webhook-id'])).size).toBe(4);
  const slack = got.filter(({ path }) => path === '/slack').map(({ body }) => JSON.parse(body));
  expect(slack).toHaveLength(1);
  expect(slack[0].text).toContain('global/requests/monthly is used up');

  const notifications = await story.database.query<{ type: string; username: string }>(
    `select n.type, u.username from notifications n join users u on u.id = n.user_id
     order by n.type`,
  );
  expect(notifications).toEqual([
    { type: 'budget.exhausted', username: 'admin' },
    { type: 'budget.threshold_reached', username: 'admin' },
    { type: 'budget.threshold_reached', username: 'admin' },
    { type: 'key.revoked', username: 'admin' },
  ]);
});
