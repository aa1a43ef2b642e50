// What providers told of models without a public tokenizer, in memory for the path of a call and in
// SQL for the next start and for other gateways: each adds what it saw, and reads what all saw.

import type { Database } from '../drivers/database.js';
import { bucketOf, factorOf, type TextBytes } from '../rules/tokens/calibrate.js';

export interface Calibration {
  note(target: string, text: TextBytes, tokensTold: number): void;
  /** Tokens a byte at most; undefined while too little was seen. */
  factor(target: string): number | undefined;
  factors(): { target: string; factor: number }[];
  /** Adds what is new to SQL and reads what is there. */
  sync(): Promise<void>;
}

type Seen = Map<string, Map<number, number>>;

const TARGETS_MAX = 2_000;

const ADD = `insert into calibrations as c (target, bucket, seen)
select * from unnest($1::text[], $2::smallint[], $3::bigint[]) as e(target, bucket, seen)
order by target, bucket
on conflict (target, bucket) do update set seen = c.seen + excluded.seen`;

export function createCalibration(database: Database): Calibration {
  let known: Seen = new Map();
  let fresh: Seen = new Map();
  let factors = new Map<string, number | undefined>();
  const add = async (): Promise<void> => {
    const taken = fresh;
    fresh = new Map();
    const rows = [...taken].flatMap(([target, counts]) =>
      [...counts].map(([bucket, seen]) => ({ target, bucket, seen })),
    );
    if (rows.length === 0) return;
    try {
      await database.query(ADD, [
        rows.map(({ target }) => target),
        rows.map(({ bucket }) => bucket),
        rows.map(({ seen }) => seen),
      ]);
    } catch (error) {
      for (const { target, bucket, seen } of rows) raise(fresh, target, bucket, seen);
      throw error;
    }
  };
  return {
    note(target, text, tokensTold) {
      const bucket = bucketOf(text, tokensTold);
      if (bucket === undefined) return;
      raise(known, target, bucket, 1);
      raise(fresh, target, bucket, 1);
    },
    factor(target) {
      // Looked through anew once a sync: a thousandth more or less is not worth it on every call.
      if (!factors.has(target)) factors.set(target, factorOf(known.get(target) ?? NONE));
      return factors.get(target);
    },
    factors() {
      return [...known.keys()].flatMap((target) => {
        const factor = this.factor(target);
        return factor === undefined ? [] : [{ target, factor }];
      });
    },
    async sync() {
      await add();
      const rows = await database.query<{ target: string; bucket: number; seen: number }>(
        'select target, bucket, seen from calibrations',
      );
      const read: Seen = new Map();
      for (const { target, bucket, seen } of rows) raise(read, target, bucket, Number(seen));
      // What was noted while SQL answered is in no row yet.
      for (const [target, counts] of fresh) {
        for (const [bucket, seen] of counts) raise(read, target, bucket, seen);
      }
      known = read;
      factors = new Map();
    },
  };
}

function raise(seen: Seen, target: string, bucket: number, by: number): void {
  const counts = seen.get(target) ?? new Map<number, number>();
  if (!seen.has(target) && seen.size >= TARGETS_MAX) return;
  seen.set(target, counts);
  counts.set(bucket, (counts.get(bucket) ?? 0) + by);
}

const NONE: ReadonlyMap<number, number> = new Map();
