// Reservations whose owner has stopped beating are ended at the spend seen, and what they held
// comes back. What was booked goes into the spool like any other event.

import { type Amounts, NOTHING, UNITS, type Unit } from '../../core/amount.js';
import type { Clock } from '../../core/clock.js';
import { parseOwnJson } from '../../core/json.js';
import type { Log } from '../../core/log.js';
import { add } from '../../core/money.js';
import type { Stub, UsageEvent } from '../../core/usage-event.js';
import type { Ledger } from '../../stores/ledger/ledger.js';
import type { Spool } from '../../stores/spool.js';
import { type Repeated, repeat } from './repeat.js';
import type { Turn } from './turn.js';

export interface ReapOptions {
  ledger: Ledger;
  spool: Spool;
  clock: Clock;
  log: Log;
  tickMs: number;
  /** Where several gateways run it: whose turn it is. */
  turn?: Turn | undefined;
}

export interface ReapResult {
  reaped: number;
  /** What came back to the envelopes' room, by unit. */
  reclaimed: Amounts;
}

export interface Reaper extends Repeated {
  /** One sweep, now; a result with 0 where nothing was overdue. */
  sweep(): Promise<ReapResult>;
}

const BATCH_MAX = 64;
/** So that one sweep ends, whatever comes in meanwhile. */
const BATCHES_MAX = 256;
/** Of more holds than this in one sweep some are told as of an unknown project. */
const NAMED_MAX = 1024;
const UNKNOWN = 'unknown';

export function createReaper(options: ReapOptions): Reaper {
  const { clock, log, tickMs, turn } = options;
  // Booked by the ledger and refused by the spool: they must not be lost.
  const unwritten: UsageEvent[] = [];
  const sweep = async () => {
    await write(options, unwritten);
    const byProject = new Map<string, ReapResult>();
    let projects: ReadonlyMap<string, string> | undefined;
    for (let batch = 0; batch < BATCHES_MAX; batch += 1) {
      const ids = await options.ledger.overdue(BATCH_MAX);
      if (ids.length === 0) break;
      projects ??= await projectsOf(options.ledger);
      const reaped = await reapBatch(options, ids, unwritten, projects, byProject);
      if (reaped === 0) break;
    }
    tell(log, byProject);
    return [...byProject.values()].reduce(plus, { reaped: 0, reclaimed: NOTHING });
  };
  return { sweep, ...repeat({ clock, log, everyMs: tickMs, name: 'the reaper', turn }, sweep) };
}

async function reapBatch(
  options: ReapOptions,
  ids: readonly string[],
  unwritten: UsageEvent[],
  projects: ReadonlyMap<string, string>,
  byProject: Map<string, ReapResult>,
): Promise<number> {
  const { results } = await options.ledger.reap(ids);
  let reaped = 0;
  for (const { id, answer, event, reclaimed = NOTHING } of results) {
    if (answer !== 'REAPED') continue;
    reaped += 1;
    if (event) unwritten.push(event);
    const project = event?.stub.attribution.projectId ?? projects.get(id) ?? UNKNOWN;
    const before = byProject.get(project) ?? { reaped: 0, reclaimed: NOTHING };
    byProject.set(project, plus(before, { reaped: 1, reclaimed }));
  }
  await write(options, unwritten);
  return reaped;
}

async function write({ ledger, spool }: ReapOptions, unwritten: UsageEvent[]): Promise<void> {
  // With another custodian the event is safe already; the spool is the second one.
  const durability = ledger.kind === 'redis' ? 'written' : 'fsync';
  const events = unwritten.splice(0);
  const answers = await Promise.allSettled(events.map((event) => spool.ended(event, durability)));
  const failed = answers.findIndex(({ status }) => status === 'rejected');
  unwritten.push(...events.filter((_, i) => answers[i]?.status === 'rejected'));
  const failure = answers[failed];
  if (failure?.status === 'rejected') throw failure.reason;
}

// For the log: an ending of what was never sent has no event that names its project. Holds come
// oldest lease first, so the overdue ones are the first of them.
async function projectsOf(ledger: Ledger): Promise<ReadonlyMap<string, string>> {
  const { holds } = await ledger.holds({ offset: 0, limit: NAMED_MAX });
  const projects = new Map<string, string>();
  for (const { id, stub } of holds) {
    const { projectId } = parseOwnJson<Stub>(stub).attribution;
    if (projectId !== undefined) projects.set(id, projectId);
  }
  return projects;
}

function plus(left: ReapResult, right: ReapResult): ReapResult {
  const reclaimed: Record<Unit, number> = { ...NOTHING };
  for (const unit of UNITS) reclaimed[unit] = add(left.reclaimed[unit], right.reclaimed[unit]);
  return { reaped: left.reaped + right.reaped, reclaimed };
}

function tell(log: Log, byProject: ReadonlyMap<string, ReapResult>): void {
  for (const [projectId, { reaped, reclaimed }] of byProject) {
    const isWorthTelling = UNITS.some((unit) => reclaimed[unit] > 0);
    const fields = { projectId, reaped, reclaimed };
    if (isWorthTelling) log.info(fields, 'overdue reservations were reaped');
    else log.debug(fields, 'overdue reservations were reaped, nothing came back');
  }
}
