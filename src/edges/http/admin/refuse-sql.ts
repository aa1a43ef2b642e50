// What SQL would not do is told apart: it is away, or a value (22...) is none that it can hold.
// All else is a fault of ours, and is thrown on.

import { type Refused, refuse } from '../../../core/errors.js';
import { isUnreachable, sqlState } from '../../../drivers/database.js';

export function refuseSql(error: unknown): Refused {
  if (sqlState(error)?.startsWith('22')) {
    return refuse('invalid_value', 'A value is none that the database can hold.');
  }
  if (!isUnreachable(error)) throw error;
  const message =
    'The database cannot be reached now. If this was to change something, look first whether it ' +
    'did, or ask again with the same Idempotency-Key.';
  return refuse('database_unavailable', message, { headers: { 'retry-after': '5' } });
}
