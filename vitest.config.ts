import { defineConfig } from 'vitest/config';

// Tests run on the build (`#src/*` is `dist/*`): the worker threads of the product
// load compiled files only, and what is tested is what is shipped. Only the project `real` starts
// a Redis and a PostgreSQL; `unit` needs neither.
const shared = {
  testTimeout: 20_000,
  hookTimeout: 60_000,
  pool: 'forks' as const,
};
const UNIT = ['test/*.test.ts', 'test/unit/**/*.test.ts', 'test/config/**/*.test.ts'];

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      { test: { ...shared, name: 'unit', include: UNIT } },
      {
        test: {
          ...shared,
          name: 'real',
          include: ['test/**/*.test.ts'],
          exclude: UNIT,
          globalSetup: ['test/support/services.ts'],
        },
      },
    ],
  },
});
