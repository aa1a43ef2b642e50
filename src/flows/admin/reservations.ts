// Who holds what: the open reservations of the ledger, and the way to end one by force. Ending one
// books nothing; what its call turns out to have cost is booked late when it ends itself.

import { isRefused, type Refused, refuse } from '../../core/errors.js';
import { formatUsd } from '../../core/money.js';
import type { Ledger, OpenHold } from '../../stores/ledger/ledger.js';
import { LedgerUnavailable } from '../../stores/ledger/ledger.js';
import type { Spool } from '../../stores/spool.js';
import { type Actor, type AdminDeps, change, notFound } from './change.js';

export interface ReservationDeps extends AdminDeps {
  ledger: Pick<Ledger, 'holds' | 'release'>;
  spool: Pick<Spool, 'released'>;
}

export interface Reservation {
  id: string;
  owner: string;
  phase: 'held' | 'sent';
  lease_ends_at: string;
  lines: { envelope: string; label: string; unit: string; amount: number }[];
  seen_usd: string;
  seen_tokens: number;
}

const PAGE_MAX = 200;
const UNAVAILABLE = refuse('ledger_unavailable', 'The ledger cannot answer now.');

/** Oldest lease first; the cursor is an offset, since holds come and go. */
export async function listReservations(
  deps: ReservationDeps,
  request: { offset: number; limit: number },
): Promise<{ data: Reservation[]; nextOffset: number | null; total: number } | Refused> {
  const found = await holds(deps, request);
  if (isRefused(found)) return found;
  const next = request.offset + found.holds.length;
  const nextOffset = found.holds.length > 0 && next < found.total ? next : null;
  return { data: found.holds.map(shown), nextOffset, total: found.total };
}

export async function readReservation(
  deps: ReservationDeps,
  id: string,
): Promise<Reservation | Refused> {
  for (let offset = 0; ; offset += PAGE_MAX) {
    const page = await holds(deps, { offset, limit: PAGE_MAX });
    if (isRefused(page)) return page;
    const hold = page.holds.find((one) => one.id === id);
    if (hold) return shown(hold);
    if (offset + PAGE_MAX >= page.total) return notFound('open reservation');
  }
}

export async function releaseReservation(
  deps: ReservationDeps,
  actor: Actor,
  id: string,
  reason: string,
): Promise<Reservation | Refused> {
  const hold = await readReservation(deps, id);
  if (isRefused(hold)) return hold;
  return change(deps, actor, async (_tx, audit) => {
    await audit({
      action: 'release',
      entity: 'reservation',
      entityId: id,
      before: hold,
      reason,
    });
    const { answer } = await deps.ledger.release(id);
    if (answer === 'RELEASED' || answer === 'ALREADY_RELEASED') {
      deps.spool.released(id);
      return hold;
    }
    const ended = answer === 'ALREADY_FINALIZED' || answer === 'ALREADY_REAPED';
    return ended ? notFound('open reservation: it has just ended') : UNAVAILABLE;
  });
}

async function holds(deps: ReservationDeps, request: { offset: number; limit: number }) {
  try {
    return await deps.ledger.holds(request);
  } catch (error) {
    if (error instanceof LedgerUnavailable) return UNAVAILABLE;
    throw error;
  }
}

function shown(hold: OpenHold): Reservation {
  return {
    id: hold.id,
    owner: hold.owner,
    phase: hold.phase,
    lease_ends_at: new Date(hold.leaseEndsAtMs).toISOString(),
    lines: hold.lines.map(({ envelope, label, unit, amount }) => ({
      envelope,
      label,
      unit,
      amount,
    })),
    seen_usd: formatUsd(hold.seen.nano_usd),
    seen_tokens: hold.seen.tokens,
  };
}
