// The files under an append log, behind an interface small enough that a test can make any call
// of it fail the way a disk does.

import { fdatasync, write } from 'node:fs';
import { mkdir, open, readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';

export interface LogFile {
  /** Appends all the bytes, or rejects with some of them written. */
  write(bytes: Buffer): Promise<void>;
  datasync(): Promise<void>;
  close(): Promise<void>;
}

export interface LogFiles {
  list(): Promise<{ name: string; bytes: number; writtenAtMs: number }[]>;
  /** A new file whose name survives a power cut. */
  create(name: string): Promise<LogFile>;
  read(name: string, from: number, to: number): Promise<Buffer>;
  truncate(name: string, bytes: number): Promise<void>;
  remove(name: string): Promise<void>;
}

export function diskFiles(dir: string): LogFiles {
  return {
    async list() {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      const files = [];
      for (const name of await readdir(dir)) {
        const { size, mtimeMs } = await stat(join(dir, name));
        files.push({ name, bytes: size, writtenAtMs: Math.floor(mtimeMs) });
      }
      return files;
    },
    async create(name) {
      const file = await open(join(dir, name), 'wx', 0o600);
      try {
        await syncFolder(dir);
      } catch (error) {
        await file.close();
        throw error;
      }
      return {
        write: (bytes) => writeAll(file.fd, bytes),
        datasync: () => datasync(file.fd),
        close: () => file.close(),
      };
    },
    async read(name, from, to) {
      const file = await open(join(dir, name), 'r');
      try {
        const bytes = Buffer.allocUnsafe(to - from);
        let got = 0;
        while (got < bytes.length) {
          const { bytesRead } = await file.read(bytes, got, bytes.length - got, from + got);
          if (bytesRead === 0) break;
          got += bytesRead;
        }
        return bytes.subarray(0, got);
      } finally {
        await file.close();
      }
    },
    truncate: (name, bytes) => truncate(join(dir, name), bytes),
    remove: (name) => rm(join(dir, name), { force: true }),
  };
}

// With callbacks: a call of `node:fs/promises` costs the loop several times as much.
function writeAll(fd: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const writeFrom = (at: number): void => {
      write(fd, bytes, at, bytes.length - at, null, (error, written) => {
        if (error) reject(error);
        else if (at + written < bytes.length) writeFrom(at + written);
        else resolve();
      });
    };
    writeFrom(0);
  });
}

function datasync(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(fd, (error) => (error ? reject(error) : resolve()));
  });
}

async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
