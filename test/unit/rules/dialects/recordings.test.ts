// Recordings of real providers against tables that were written by hand before any code read them.
// `npm run trials -- splits` splits each at 1,000 places.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { recordedCases } from '../../../support/meter/recorded.js';
import { faultsOfSplit, recordedCatalog } from '../../../support/meter/splits.js';
import { recordings } from '../../../support/transcripts.js';

const SPLITS = 50;
const cases = recordedCases();
const catalog = recordedCatalog();

describe.skipIf(cases.length === 0)('a recording of a provider', () => {
  it.each(cases)(
    '$name passes as recorded, and costs what was written by hand, wherever it is split',
    async (one) => {
      for (let seed = 0; seed < SPLITS; seed++) {
        expect(await faultsOfSplit(one, catalog, seed)).toEqual([]);
      }
    },
    60_000,
  );

  it('has its row in the tables, of three dialects, streams and whole answers', () => {
    const folders = ['chat', 'messages', 'responses', 'json'];
    const files = folders.flatMap((folder) =>
      readdirSync(join(recordings, folder)).map((name) => `${folder}/${name}`),
    );
    const named = new Set(cases.map(({ name }) => name.split(' ')[0]));
    expect(files.filter((file) => !named.has(file))).toEqual([]);
    expect(cases.filter(({ ticks }) => ticks !== undefined)).toHaveLength(4);
  });
});
