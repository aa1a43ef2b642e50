// Rows of `prompt_snapshots`, written behind the calls: a call never waits for them. The row's id
// is the reservation's, so that a row that is written twice is there once. The prompt's text is
// kept only where that is asked for; its hash always. When SQL is away for long, the oldest rows
// are given up, and that is said.

import { hash } from 'node:crypto';
import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import type { BudgetReport } from '../../core/prompt.js';
import type { Database } from '../../drivers/database.js';

export interface PromptSnapshot {
  reservationId: string;
  agentId: string | null;
  templateId: string | null;
  /** The messages as they were sent. */
  prompt: Uint8Array;
  report: BudgetReport;
}

export interface PromptSnapshotsOptions {
  database: Database;
  clock: Clock;
  log: Log;
  keepText: boolean;
  everyMs?: number;
  rowsMax?: number;
}

export interface PromptSnapshots {
  keep(snapshot: PromptSnapshot): void;
  /** Writes what waits; rejects if SQL cannot be written. */
  flush(): Promise<void>;
  /** Writes what waits, once more, and stops. */
  close(): Promise<void>;
  state(): { waiting: number; dropped: number };
}

interface Row {
  id: string;
  agentId: string | null;
  templateId: string | null;
  promptHash: string;
  prompt: string | null;
  report: BudgetReport;
}

const EVERY_MS = 500;
const ROWS_MAX = 2_000;
const BATCH_ROWS = 200;
/** How long a row's turn is waited for. */
const LINK_MS = 60_000;

// Also a snapshot that comes before its turn finds it later: see LINK. A foreign key that is gone
// by now (an agent deleted by hand) must not hold the others up.
const INSERT = `insert into prompt_snapshots
    (id, reservation_id, turn_id, agent_id, template_id, prompt_hash, prompt, budget_report)
  select s.id, s.id, turns.id, agents.id, templates.id, s.hash, s.prompt, s.report::jsonb
  from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[])
    as s(id, agent_id, template_id, hash, prompt, report)
  left join turns on turns.reservation_id = s.id
  left join agents on agents.id = s.agent_id
  left join templates on templates.id = s.template_id
  on conflict (id) do nothing`;

const LINK = `update prompt_snapshots s set turn_id = t.id from turns t
  where t.reservation_id = s.reservation_id and s.turn_id is null
    and s.reservation_id = any($1::uuid[])`;

const OPEN = `select id from prompt_snapshots
  where turn_id is null and id = any($1::uuid[])`;

export function createPromptSnapshots(options: PromptSnapshotsOptions): PromptSnapshots {
  return new SnapshotQueue(options);
}

class SnapshotQueue implements PromptSnapshots {
  readonly #options: PromptSnapshotsOptions;
  readonly #rowsMax: number;
  readonly #stop: () => void;
  readonly #waiting: Row[] = [];
  /** Rows whose turn is not known yet, and since when. */
  readonly #unlinked = new Map<string, number>();
  #dropped = 0;
  #writing: Promise<void> | undefined;

  constructor(options: PromptSnapshotsOptions) {
    this.#options = options;
    this.#rowsMax = options.rowsMax ?? ROWS_MAX;
    this.#stop = options.clock.every(options.everyMs ?? EVERY_MS, () => this.#look());
  }

  keep({ reservationId, agentId, templateId, prompt, report }: PromptSnapshot): void {
    if (this.#waiting.length >= this.#rowsMax) {
      this.#waiting.shift();
      this.#dropped += 1;
    }
    const text = this.#options.keepText ? Buffer.from(prompt).toString('utf8') : null;
    this.#waiting.push({
      id: reservationId,
      agentId,
      templateId,
      promptHash: hash('sha256', prompt, 'hex'),
      // PostgreSQL's text has no NUL.
      prompt: text?.replaceAll('\u0000', '\ufffd') ?? null,
      report,
    });
  }

  async flush(): Promise<void> {
    // Whoever waits for that write is told of its failure; here only its end matters.
    await this.#writing?.catch(() => undefined);
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async close(): Promise<void> {
    this.#stop();
    await this.flush();
  }

  state(): { waiting: number; dropped: number } {
    return { waiting: this.#waiting.length, dropped: this.#dropped };
  }

  #look(): void {
    if (this.#writing !== undefined) return;
    if (this.#waiting.length === 0 && this.#unlinked.size === 0) return;
    this.flush().catch((error: unknown) => {
      this.#options.log.warn({ error, ...this.state() }, 'prompt snapshots cannot be written');
    });
  }

  async #write(): Promise<void> {
    const { database, clock } = this.#options;
    const waiting = this.#waiting;
    // Rows stay in the queue until they are written; only the oldest may be given up meanwhile.
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH_ROWS);
      await database.query(INSERT, columnsOf(batch));
      const written = new Set(batch.map((row) => row.id));
      while (waiting[0] !== undefined && written.has(waiting[0].id)) waiting.shift();
      for (const id of written) this.#unlinked.set(id, clock.elapsedMs());
    }
    if (this.#unlinked.size > 0) await this.#link();
  }

  // The drain makes turns a moment after the call's end; a call that was released has none.
  async #link(): Promise<void> {
    const { database, clock } = this.#options;
    const ids = [...this.#unlinked.keys()];
    await database.query(LINK, [ids]);
    const rows = await database.query<{ id: string }>(OPEN, [ids]);
    const open = new Set(rows.map((row) => row.id));
    const oldestMs = clock.elapsedMs() - LINK_MS;
    for (const id of ids) {
      if (!open.has(id) || this.#unlinked.get(id)! < oldestMs) this.#unlinked.delete(id);
    }
  }
}

function columnsOf(rows: readonly Row[]): unknown[] {
  return [
    rows.map((row) => row.id),
    rows.map((row) => row.agentId),
    rows.map((row) => row.templateId),
    rows.map((row) => row.promptHash),
    rows.map((row) => row.prompt),
    rows.map((row) => JSON.stringify(row.report)),
  ];
}
