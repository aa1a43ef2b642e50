import { defineConfig } from 'vitest/config';

// Tests run on the build (`#src/*` is `dist/*`): the worker threads of the product
// load compiled files only, and what is tested is what is shipped.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/services.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
