// Every deliberately wrong ledger must be caught, and soon.

import { Violation } from './auditor.js';
import { draw } from './bar.js';
import { drive } from './drive.js';
import { openMemory } from './subjects.js';
import { WRONG_LEDGERS } from './wrong-ledgers.js';

const OPERATIONS_MAX = 20_000;

export async function proveThatTheAuditorBites(seed: number): Promise<string[]> {
  const caught: string[] = [];
  for (const [at, { name, breaks, wrap }] of WRONG_LEDGERS.entries()) {
    draw('wrong ledgers', at, WRONG_LEDGERS.length);
    const subject = await openMemory();
    const options = { seed, operations: OPERATIONS_MAX, jumps: true };
    try {
      await drive({ ...subject, ledger: wrap(subject.ledger) }, options);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      caught.push(`* a ledger that ${name} (${breaks}): caught after ${error.after}`);
      continue;
    }
    throw new Violation(`nobody caught a ledger that ${name}`, OPERATIONS_MAX);
  }
  draw('wrong ledgers', WRONG_LEDGERS.length, WRONG_LEDGERS.length);
  return [
    `${caught.length} wrong ledgers, each caught within ${OPERATIONS_MAX}:`,
    '',
    ...caught,
    '',
  ];
}
