// An operator's POST with an Idempotency-Key is done once, however often and however at once it is
// asked; and it is answered as it was.

import { afterEach, expect, test, vi } from 'vitest';
import { type Story, startStory } from '../support/gateway.js';
import { admin } from '../support/policy.js';

vi.setConfig({ testTimeout: 60_000 });

let story: Story;
afterEach(() => story.end());

interface Asked {
  status: number;
  code: string | undefined;
  replayed: boolean;
  text: string;
}

async function post(path: string, body: unknown, once?: string, key?: string): Promise<Asked> {
  const answer = await fetch(`${story.gateway.operatorAddress}/admin/v1${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key ?? story.adminKey}`,
      'content-type': 'application/json',
      ...(once !== undefined && { 'idempotency-key': once }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  const { error } = JSON.parse(text) as { error?: { code: string } };
  const replayed = answer.headers.get('idempotency-replayed') === 'true';
  return { status: answer.status, code: error?.code, replayed, text };
}

const count = async (table: string) =>
  (await story.database.query<{ n: number }>(`select count(*)::int as n from ${table}`))[0]!.n;

test('a key that is asked for twice is made once, and told again to whom it was told', async () => {
  story = await startStory();
  const [agent] = (await admin(story, 'GET', '/agents')).data as { id: string }[];
  const wanted = { name: 'again', agent_id: agent!.id };
  const before = await count('api_keys');
  const first = await post('/keys', wanted, 'k-1');
  expect([first.status, first.replayed]).toEqual([201, false]);
  const again = await post('/keys', wanted, 'k-1');
  expect(again).toEqual({ ...first, replayed: true });
  expect(await count('api_keys')).toBe(before + 1);
  const { key } = JSON.parse(first.text) as { key: string };
  const [kept] = await story.database.query<{ answer: Buffer }>(
    'select answer from idempotency_keys',
  );
  expect(kept?.answer.toString('latin1'), 'the new key is not kept to be read').not.toContain(key);

  const other = await post('/keys', { ...wanted, name: 'other' }, 'k-1');
  expect([other.status, other.code]).toEqual([422, 'idempotency_key_reused']);
  const elsewhere = await post('/persons', { name: 'Ada' }, 'k-1');
  expect([elsewhere.status, elsewhere.code]).toEqual([422, 'idempotency_key_reused']);
  expect((await post('/keys', wanted, 'two words')).code).toBe('invalid_header');

  // Another operator's keys are their own, and nobody reads another's answer.
  const made = await admin(story, 'POST', '/keys', {
    name: 'second',
    kind: 'admin',
    role: 'operator',
  });
  const theirs = await post('/keys', wanted, 'k-1', made.key);
  expect([theirs.status, theirs.replayed]).toEqual([201, false]);
  expect(JSON.parse(theirs.text).key).not.toBe(key);

  // A POST without a body is one, too.
  const { id } = JSON.parse(first.text) as { id: string };
  const rotated = await post(`/keys/${id}/rotate`, undefined, 'k-2');
  expect(await post(`/keys/${id}/rotate`, undefined, 'k-2')).toEqual({
    ...rotated,
    replayed: true,
  });
});

test('of twins at once one is done; what was refused may be asked again', async () => {
  story = await startStory();
  const person = { name: 'Ada', external_id: 'ada' };
  const twins = await Promise.all(Array.from({ length: 12 }, () => post('/persons', person, 'p')));
  const done = twins.filter(({ status, replayed }) => status === 201 && !replayed);
  expect(done).toHaveLength(1);
  for (const { status, code, replayed } of twins) {
    if (status === 201) continue;
    expect([status, code, replayed]).toEqual([409, 'idempotency_in_progress', false]);
  }
  expect(await count('persons')).toBe(1);
  expect((await post('/persons', person, 'p')).replayed).toBe(true);

  const taken = await post('/persons', person, 'q');
  expect([taken.status, taken.code]).toEqual([409, 'already_exists']);
  await story.database.run('delete from persons');
  const now = await post('/persons', person, 'q');
  expect([now.status, now.replayed]).toEqual([201, false]);
  const audit = (await admin(story, 'GET', '/audit')).data as { entity: string; action: string }[];
  expect(audit.filter(({ entity }) => entity === 'person')).toHaveLength(2);

  // After a day a key is free again, and forgotten.
  await story.database.run(`update idempotency_keys set created_at = now() - interval '25 hours'`);
  await story.database.run('delete from persons');
  expect((await post('/persons', person, 'q')).status).toBe(201);
  expect(await count('idempotency_keys')).toBe(1);
});
