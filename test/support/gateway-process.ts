// A gateway as an operator runs it: `node dist/main.js start`, a process of its own that a test may
// kill. Its home (configuration and data directory) outlives it, so that the next one started
// there finds what the last one left.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openPglite } from '#src/drivers/pglite.js';

export interface HomeOptions {
  /** Sections of the configuration beside the fixed ones. */
  config: Record<string, unknown>;
  /** A migrated PGlite directory to begin with: making one takes several seconds. */
  image?: Uint8Array;
  /** Where the ledger and the rows are, if not in the home itself: `REDIS_URL`, `DATABASE_URL`. */
  env?: Record<string, string>;
  /** Of the home whose gateway made them, where several share one database. */
  keys?: Keys;
}

export interface GatewayHome {
  /** Everything that is kept lies in here. */
  folder: string;
  /** Where the rows are; nobody may open it while a gateway runs. */
  databaseDir: string;
  /** Resolves once the gateway is ready; rejects with what it said if it ends before. */
  start(options?: StartOptions): Promise<GatewayProcess>;
  /** Starts without waiting; for a gateway that is not meant to live. */
  launch(options?: StartOptions): Launched;
  /** Kills what still runs here and takes the folder away. */
  remove(): Promise<void>;
}

export interface StartOptions {
  /** A failpoint to die at. */
  crashAt?: string;
}

export interface Launched {
  ready: Promise<GatewayProcess>;
  /** The signal or code that it ended by. */
  ended: Promise<NodeJS.Signals | number>;
  kill(): Promise<void>;
}

export interface GatewayProcess extends Launched {
  url: string;
  /** The first agent's key and the operator's, as the first banner of this home showed them. */
  key: string;
  adminKey: string;
  /** Lines that it logged, parsed. */
  log: readonly LogLine[];
  /** SIGTERM; resolves once it has ended, rejects if not with code 0. */
  stop(): Promise<void>;
}

export interface LogLine {
  level: number;
  msg: string;
  [field: string]: unknown;
}

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const READY_POLL_MS = 10;

/** Figures of tests: leases and beats short enough to be waited for. */
export const TEST_LEASE = { lease_ms: 2000, beat_ms: 200, reap_ms: 200 };

export async function openGatewayHome(options: HomeOptions): Promise<GatewayHome> {
  const folder = await mkdtemp(join(tmpdir(), 'purser-home-'));
  const dataDir = join(folder, 'data');
  const databaseDir = join(dataDir, 'pglite');
  const file = join(folder, 'gateway.yaml');
  const config = {
    listen: { host: '127.0.0.1', port: 0 },
    data_dir: dataDir,
    ledger: TEST_LEASE,
    log: { level: 'warn' },
    ...options.config,
  };
  await writeFile(file, JSON.stringify(config));
  if (options.image) await layOut(databaseDir, options.image);
  const keys: Keys = options.keys ?? { key: '', adminKey: '' };
  const running = new Set<Running>();
  const launch = ({ crashAt }: StartOptions = {}): Running => {
    const one = new Running(file, keys, { ...options.env, ...crash(crashAt) });
    running.add(one);
    void one.ended.then(() => running.delete(one));
    return one;
  };
  return {
    folder,
    databaseDir,
    launch,
    start: (start) => launch(start).ready,
    async remove() {
      await Promise.all([...running].map((one) => one.kill()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function crash(at: string | undefined): Record<string, string> {
  return at === undefined ? {} : { PURSER_CRASH_AT: at };
}

async function layOut(dir: string, image: Uint8Array): Promise<void> {
  await mkdir(dirname(dir), { recursive: true, mode: 0o700 });
  const { close } = await openPglite({ at: { dir }, image });
  await close();
}

export interface Keys {
  key: string;
  adminKey: string;
}

class Running implements GatewayProcess {
  readonly ready: Promise<GatewayProcess>;
  readonly ended: Promise<NodeJS.Signals | number>;
  readonly log: LogLine[] = [];
  url = '';
  readonly #child: ChildProcess;
  readonly #keys: Keys;
  #said = '';
  #line = '';

  constructor(file: string, keys: Keys, env: Record<string, string>) {
    this.#keys = keys;
    this.#child = spawn(process.execPath, [MAIN, 'start', '--config', file], {
      env: {
        PATH: process.env.PATH,
        NODE_ENV: 'test',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stderr!.on('data', (bytes: Buffer) => {
      this.#said += bytes.toString();
    });
    this.ended = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => resolve(signal ?? code ?? -1));
    });
    const banner = new Promise<void>((resolve) => {
      this.#child.stdout!.on('data', (bytes: Buffer) => {
        this.#hear(bytes.toString());
        // The banner is one write, and what follows the keys is its last line.
        if (this.url !== '' && this.#said.includes('\nNext: ')) resolve();
      });
    });
    this.ready = Promise.race([banner.then(() => this.#untilReady()), this.#endedEarly()]);
    // Who only launches does not wait for it.
    this.ready.catch(() => undefined);
  }

  get key(): string {
    return this.#keys.key;
  }

  get adminKey(): string {
    return this.#keys.adminKey;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    const how = await this.ended;
    if (how !== 0) throw new Error(`The gateway ended with ${how}:\n${this.#said}`);
  }

  #hear(text: string): void {
    this.#said += text;
    const lines = (this.#line + text).split('\n');
    this.#line = lines.pop() ?? '';
    for (const line of lines) {
      if (line.startsWith('{')) this.log.push(JSON.parse(line) as LogLine);
      this.url = /listens at (\S+)/.exec(line)?.[1] ?? this.url;
      const [, name, key] = /^ {2}(\S+) +(sk-purser-\S+)/.exec(line) ?? [];
      if (key === undefined) continue;
      if (name === 'admin') this.#keys.adminKey = key;
      else this.#keys.key = key;
    }
  }

  async #untilReady(): Promise<GatewayProcess> {
    while ((await fetch(`${this.url}/readyz`)).status !== 200) {
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
    }
    return this;
  }

  async #endedEarly(): Promise<never> {
    const how = await this.ended;
    throw new Error(`The gateway ended with ${how} before it was ready:\n${this.#said}`);
  }
}
