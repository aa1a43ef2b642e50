// What each person may spend on each occasion, in a currency of its own, and what was: by calls,
// at the rate of their moment, and by hand, with a reason. The ledger knows the USD only.

import { createHash } from 'node:crypto';
import { isRefused, type Refused, refuse } from '../../core/errors.js';
import { uuidV7 } from '../../core/id.js';
import type { UsageEvent } from '../../core/usage-event.js';
import type { Queryable } from '../../drivers/database.js';
import { fitsCounter, limitNanoUsd } from '../../rules/budget/pair-envelope.js';
import { type Ledger, LedgerUnavailable } from '../../stores/ledger/ledger.js';
import type { Spool } from '../../stores/spool.js';
import { type Actor, type AdminDeps, change } from './change.js';
import {
  type Columns,
  changeEntity,
  createEntity,
  type Entity,
  type EntityRow,
  readRow,
} from './entity.js';
import { refuseCrowd } from './limit-room.js';
import { type Page, type PageRequest, readPage } from './page.js';
import { removeEntity } from './remove.js';

export interface PairDeps extends AdminDeps {
  ledger: Pick<Ledger, 'adjust' | 'nowMs'>;
  spool: Pick<Spool, 'ended'>;
}

export const PAIR: Entity = {
  name: 'person occasion',
  table: 'person_occasions',
  columns: `id, person_id, occasion_id,
    (select name from persons p where p.id = person_id) as person,
    (select name from occasions o where o.id = occasion_id) as occasion,
    budget_amount, budget_spent, budget_amount - budget_spent as budget_remaining,
    coalesce(budget_spent > budget_amount, false) as is_over, budget_currency, budget_notes,
    version, created_at, updated_at`,
  hasOrigin: false,
};

export interface PairInput {
  budget_amount?: string | null | undefined;
  budget_currency?: string | undefined;
  budget_notes?: string | null | undefined;
}

export interface PairListRequest extends PageRequest {
  person_id?: string | undefined;
  occasion_id?: string | undefined;
  /** Only those that have spent more than they may. */
  over?: boolean | undefined;
}

export function listPairs(
  deps: AdminDeps,
  request: PairListRequest,
): Promise<Page<EntityRow> | Refused> {
  const given = [
    ['person_id = ', request.person_id],
    ['occasion_id = ', request.occasion_id],
    ['coalesce(budget_spent > budget_amount, false) = ', request.over],
  ].filter(([, value]) => value !== undefined);
  const source = {
    from: PAIR.table,
    columns: PAIR.columns,
    time: 'created_at',
    id: 'id',
    where: given.map(([condition], index) => `${condition}$${index + 1}`),
    params: given.map(([, value]) => value),
  };
  return readPage<EntityRow>(deps.database, source, request);
}

export const readPair = (deps: AdminDeps, id: string) => readRow(deps.database, PAIR, id);

export async function createPair(
  deps: AdminDeps,
  actor: Actor,
  input: PairInput & { person_id: string; occasion_id: string },
): Promise<EntityRow | Refused> {
  const { budget_currency: currency = 'USD', budget_amount: amount = null } = input;
  const rate = await rateToday(deps, currency, amount);
  if (isRefused(rate)) return rate;
  return createEntity(deps, actor, PAIR, { ...input } as Columns, (tx) =>
    refuseCrowd(tx, deps.log),
  );
}

export async function changePair(
  deps: AdminDeps,
  actor: Actor,
  id: string,
  input: PairInput,
): Promise<EntityRow | Refused> {
  const row = await readPair(deps, id);
  if (isRefused(row)) return row;
  const currency = input.budget_currency ?? String(row.budget_currency);
  const amount = input.budget_amount === undefined ? row.budget_amount : input.budget_amount;
  const rate = await rateToday(deps, currency, amount as string | null);
  if (isRefused(rate)) return rate;
  return changeEntity(deps, actor, PAIR, id, {
    action: 'update',
    columns: { ...input },
    before(now) {
      const same = currency === now.budget_currency || Number(now.budget_spent) === 0;
      if (same) return undefined;
      return refuse('invalid_value', 'What was spent is in another currency: it stays.', {
        param: 'budget_currency',
      });
    },
  });
}

export const removePair = (deps: AdminDeps, actor: Actor, id: string) =>
  removeEntity(deps, actor, PAIR, id);

export interface Spend {
  /** Decimal in the currency of the budget; negative takes back. */
  amount: string;
  reason: string;
}

/** A spend that is no call: booked by an adjust, so that rows and ledger say the same. */
export function spend(
  deps: PairDeps,
  actor: Actor,
  id: string,
  { amount, reason }: Spend,
): Promise<EntityRow | Refused> {
  return change(deps, actor, async (tx, audit) => {
    const row = await readRow(tx, PAIR, id);
    if (isRefused(row)) return row;
    const currency = String(row.budget_currency);
    const isBack = amount.startsWith('-');
    const plain = isBack ? amount.slice(1) : amount;
    const usdPerUnit = await rateToday(deps, currency, plain, tx);
    if (isRefused(usdPerUnit)) return usdPerUnit;
    const nano = limitNanoUsd(plain, usdPerUnit);
    const pair = { id, currency, usdPerUnit, amount };
    await audit({
      action: 'spend',
      entity: PAIR.name,
      entityId: id,
      before: row,
      after: pair,
      reason,
    });
    const booked = await book(deps, actor, pair, isBack ? -nano : nano, reason);
    return booked ?? row;
  });
}

async function book(
  deps: PairDeps,
  actor: Actor,
  pair: { id: string; currency: string; usdPerUnit: string; amount: string },
  nano: number,
  reason: string,
): Promise<Refused | undefined> {
  const nowMs = deps.ledger.nowMs();
  const id = uuidV7(nowMs);
  const event: Omit<UsageEvent, 'lines' | 'seq' | 'epoch' | 'atMs'> = {
    id,
    kind: 'adjust',
    reason,
    stub: {
      attribution: {},
      provider: '',
      model: 'adjustment',
      priceVersion: '',
      startedAtMs: nowMs,
      stream: false,
      requestId: actor.requestId ?? id,
      pair,
    },
  };
  const line = {
    envelope: `pair:${pair.id}`,
    label: 'ever',
    unit: 'nano_usd',
    amount: nano,
  } as const;
  try {
    const reply = await deps.ledger.adjust({ id: idOf(actor) ?? id, lines: [line], event });
    if (reply.answer === 'EXISTS') return undefined;
    if (reply.answer === 'ADJUSTED') {
      if (reply.event) await deps.spool.ended(reply.event, 'fsync');
      return undefined;
    }
  } catch (error) {
    if (!(error instanceof LedgerUnavailable)) throw error;
  }
  return refuse('ledger_unavailable', 'The ledger did not answer that it booked this.');
}

// The ledger books before the change is committed. Where that fails, whoever asks again under the
// same Idempotency-Key finds it booked.
function idOf({ once }: Actor): string | undefined {
  if (!once) return undefined;
  const digest = createHash('sha256').update(`${once.actorId}\n${once.key}`).digest('hex');
  return `spend/${digest}`;
}

/** The rate in force; refused where there is none, or where the amount is more than can be held. */
async function rateToday(
  deps: AdminDeps,
  currency: string,
  amount: string | null,
  queryable: Queryable = deps.database,
): Promise<string | Refused> {
  const rows =
    currency === 'USD'
      ? [{ rate: '1.000000000' }]
      : await queryable.query<{ rate: string }>(
          `select usd_per_unit as rate from exchange_rates
           where currency = $1 and valid_from <= $2::date order by valid_from desc limit 1`,
          [currency, new Date(deps.clock.nowMs()).toISOString().slice(0, 10)],
        );
  const rate = rows[0]?.rate;
  if (rate === undefined) {
    return refuse(
      'invalid_value',
      `There is no exchange rate for ${currency} on or before today.`,
      {
        param: 'budget_currency',
      },
    );
  }
  if (amount === null || fitsCounter(amount, rate)) return rate;
  return refuse('invalid_value', 'The amount is more than a counter can hold in USD.', {
    param: 'budget_amount',
  });
}
