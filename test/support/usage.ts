// A recorder over a test's database, and the rows that events may refer to.

import type { UsageEvent } from '#src/core/usage-event.js';
import { realClock } from '#src/drivers/clock.js';
import type { Database } from '#src/drivers/database.js';
import { AttributionBook } from '#src/stores/usage/attribution.js';
import { createRecorder, type Recorder } from '#src/stores/usage/recorder.js';

export interface TestRecorder extends Recorder {
  dead: { event: UsageEvent; reason: string }[];
}

export function testBook(): AttributionBook {
  return new AttributionBook({ clock: realClock, entriesMax: 1000, keptMs: 60_000 });
}

export function testRecorder(database: Database): TestRecorder {
  const dead: { event: UsageEvent; reason: string }[] = [];
  const recorder = createRecorder({
    database,
    book: testBook(),
    clock: realClock,
    retryMs: 1,
    async setAside(event, reason) {
      dead.push({ event, reason });
    },
  });
  return { ...recorder, dead };
}

const id = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;

export const WHO = {
  user: id(1),
  project: id(2),
  agent: id(3),
  conversation: id(4),
  task: id(5),
  issue: id(6),
  pullRequest: id(7),
  person: id(8),
  occasion: id(9),
};

export async function insertWho(database: Database): Promise<void> {
  await database.run(`
    insert into users (id, username, email, password_hash)
      values ('${WHO.user}', 'admin', 'admin@localhost', '!');
    insert into projects (id, name, owner_id) values ('${WHO.project}', 'demo', '${WHO.user}');
    insert into agents (id, name, type, project_id)
      values ('${WHO.agent}', 'coder-1', 'coder', '${WHO.project}');
    insert into conversations (id, type, project_id, created_by_agent_id, external_id)
      values ('${WHO.conversation}', 'task', '${WHO.project}', '${WHO.agent}', 'conv-1');
    insert into github_issues (id, github_id, number, title, project_id)
      values ('${WHO.issue}', 71, 7, 'an issue', '${WHO.project}');
    insert into pull_requests (id, github_id, number, title, branch_from, branch_to, project_id)
      values ('${WHO.pullRequest}', 81, 8, 'a change', 'a', 'b', '${WHO.project}');
    insert into tasks (id, title, project_id, external_id)
      values ('${WHO.task}', 'a task', '${WHO.project}', 'task-1');
    insert into persons (id, name, external_id) values ('${WHO.person}', 'Mom', 'mom');
    insert into occasions (id, name, external_id) values ('${WHO.occasion}', 'Christmas', 'xmas');
  `);
}
