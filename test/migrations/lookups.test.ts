// What an operator removes is looked for in the rows first, by the check and by the foreign key:
// neither may have to read them all.

import { expect } from 'vitest';
import { eachDatabase } from '../support/databases.js';
import { IDS } from './rows.js';

const LOOKUPS = [
  ['task_id', IDS.task],
  ['person_id', IDS.person],
  ['occasion_id', IDS.occasion],
] as const;

eachDatabase('rows of what is removed are found by an index', async ({ database }) => {
  for (const [column, id] of LOOKUPS) {
    for (const statement of [
      `select id from token_usage where ${column} = ${id} limit 1`,
      `update token_usage set ${column} = null where ${id} = ${column}`,
    ]) {
      const plan = await database.transaction(async (tx) => {
        // Where there are hardly any rows an index is worth nothing.
        await tx.query('set local enable_seqscan = off');
        return tx.query(`explain (costs off) ${statement}`);
      });
      expect(JSON.stringify(plan), statement).not.toContain('Seq Scan');
    }
  }
});
