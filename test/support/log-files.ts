// A file layer in memory that keeps apart what was written and what was synced, and that fails
// where a test says so, as a disk does: with a part of the bytes written, or with none.

import type { LogFiles } from '#src/drivers/log-files.js';

export interface FakeFiles extends LogFiles {
  readonly contents: Map<string, Buffer>;
  /** How often each was called. */
  readonly calls: { write: number; datasync: number; create: number };
  /** Asked before each call; an error is thrown after half of the bytes were written. */
  failing: (call: 'write' | 'datasync' | 'create', name: string) => Error | undefined;
}

export function diskError(code: 'EIO' | 'ENOSPC'): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

export function fakeFiles(contents = new Map<string, Buffer>()): FakeFiles {
  const calls = { write: 0, datasync: 0, create: 0 };
  const poisoned = new Set<string>();
  const files: FakeFiles = {
    contents,
    calls,
    failing: () => undefined,
    async list() {
      return [...contents].map(([name, bytes]) => ({ name, bytes: bytes.length, writtenAtMs: 0 }));
    },
    async create(name) {
      calls.create += 1;
      const error = files.failing('create', name);
      if (error) throw error;
      if (contents.has(name)) throw new Error(`${name} exists`);
      contents.set(name, Buffer.alloc(0));
      return {
        async write(bytes) {
          calls.write += 1;
          const failure = files.failing('write', name);
          const part = failure ? bytes.subarray(0, bytes.length >> 1) : bytes;
          contents.set(name, Buffer.concat([contents.get(name) ?? Buffer.alloc(0), part]));
          if (failure) throw failure;
        },
        async datasync() {
          calls.datasync += 1;
          if (poisoned.has(name)) throw new Error('fsync after a failed fsync');
          const failure = files.failing('datasync', name);
          if (failure) {
            poisoned.add(name);
            throw failure;
          }
        },
        async close() {},
      };
    },
    async read(name, from, to) {
      return Buffer.from((contents.get(name) ?? Buffer.alloc(0)).subarray(from, to));
    },
    async truncate(name, bytes) {
      contents.set(name, (contents.get(name) ?? Buffer.alloc(0)).subarray(0, bytes));
    },
    async remove(name) {
      contents.delete(name);
    },
  };
  return files;
}
