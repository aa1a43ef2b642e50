// Which provider made a response, and whose key asked for it: the door to a stored response goes by
// this. SQL has it once the call's event is a row; until then the process that answered knows it.

import type { Database } from '../drivers/database.js';

export interface ResponseOwner {
  provider: string;
  keyId: string;
}

export interface ResponseIds {
  /** In memory, at once; the row comes with the event. */
  note(id: string, provider: string, keyId: string): void;
  /** Undefined where nobody made it, or where it is forgotten. Rejects while SQL is away. */
  find(id: string): Promise<ResponseOwner | undefined>;
  forget(id: string): Promise<void>;
}

const NOTED_MAX = 10_000;

export function createResponseIds(database: Database): ResponseIds {
  const noted = new Map<string, ResponseOwner>();
  return {
    note(id, provider, keyId) {
      // The oldest goes: a map keeps the order in which its keys came.
      if (noted.size >= NOTED_MAX) noted.delete(noted.keys().next().value ?? '');
      noted.set(id, { provider, keyId });
    },
    async find(id) {
      const own = noted.get(id);
      if (own) return own;
      const [row] = await database.query<{ provider: string; key_id: string }>(
        'select provider, key_id from response_ids where id = $1 and expires_at > now()',
        [id],
      );
      return row && { provider: row.provider, keyId: row.key_id };
    },
    async forget(id) {
      noted.delete(id);
      await database.query('delete from response_ids where id = $1', [id]);
    },
  };
}
