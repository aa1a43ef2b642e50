// PostgreSQL is stopped under load and comes back: calls do not notice, and what they left is in
// the rows within as long again. `DATABASE_AWAY_S` makes the absence longer than ten seconds.

import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, inject, test } from 'vitest';
import { connectPostgres } from '../support/databases.js';
import { answering, type Story, startStory } from '../support/gateway.js';
import { startPostgres } from '../support/programs.js';

const AWAY_MS = Number(process.env.DATABASE_AWAY_S ?? 10) * 1000;
const CLIENTS = 4;

interface Load {
  statuses: number[];
  /** Resolves when every client has ended its last call. */
  stop(): Promise<void>;
}

test(
  'calls go on while PostgreSQL is away, and the queue is empty within as long again',
  async () => {
    const folder = join(inject('runFolder'), 'away');
    await mkdir(folder);
    let server = await startPostgres(join(folder, 'postgres'), ['-c', 'fsync=off']);
    const { port } = server;
    const database = connectPostgres(server.url);
    const drop = () => database.close();
    const story = await startStory({ database: { database, drop } });
    try {
      story.upstream.plan(answering({ prompt_tokens: 20, completion_tokens: 10 }));
      const load = startLoad(story);
      await story.upstream.received(20);
      await server.stop();
      const before = load.statuses.length;
      await sleep(AWAY_MS);
      const during = load.statuses.length - before;
      const waiting = await pendingEvents(story);
      server = await startPostgres(join(folder, 'postgres'), ['-c', 'fsync=off'], port);
      const lateAt = AbortSignal.timeout(AWAY_MS);
      await Promise.race([untilEmpty(story), once(lateAt, 'abort')]);
      expect(lateAt.aborted, 'the queue is empty within as long again').toBe(false);
      await load.stop();

      expect(new Set(load.statuses)).toEqual(new Set([200]));
      expect(during, 'calls that ended while it was away').toBeGreaterThan(CLIENTS);
      expect(waiting).toBeGreaterThanOrEqual(during - CLIENTS);
      expect(await story.rows()).toHaveLength(load.statuses.length);
      process.stderr.write(
        `PostgreSQL was away for ${AWAY_MS} ms: ${during} calls ended meanwhile\n`,
      );
    } finally {
      await story.end();
      await server.stop();
    }
  },
  4 * AWAY_MS + 120_000,
);

/** Clients that call one after another until they are stopped. */
function startLoad(story: Story): Load {
  const statuses: number[] = [];
  let stopped = false;
  const body = { model: 'scripted/model', max_tokens: 20, messages: [] as unknown[] };
  body.messages.push({ role: 'user', content: 'Hello' });
  const client = async () => {
    while (!stopped) {
      const answer = await story.post(body);
      await answer.arrayBuffer();
      statuses.push(answer.status);
      await sleep(20);
    }
  };
  const clients = Array.from({ length: CLIENTS }, client);
  return {
    statuses,
    async stop() {
      stopped = true;
      await Promise.all(clients);
    },
  };
}

async function pendingEvents(story: Story): Promise<number> {
  const answer = await fetch(`${story.gateway.operatorAddress}/metrics`);
  const text = await answer.text();
  return Number(/^purser_spool_pending_events(?:\{.*\})? (\d+)$/m.exec(text)?.[1]);
}

/** Under load it is empty again and again: once that is seen, the backlog is gone. */
async function untilEmpty(story: Story): Promise<void> {
  while ((await pendingEvents(story)) > CLIENTS) await sleep(50);
}
