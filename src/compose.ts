// Puts the house together: opens what stands below, hands each piece what it needs, and ends it in
// the other order. The order of the start is the order of what depends on what: rows, keys and
// limits, what was left by the last run, and only then a door.

import { type AdminParts, composeAdmin } from './compose-admin.js';
import { composeCall } from './compose-call.js';
import { migrate, type OpenRows, openRows } from './compose-database.js';
import { composeLedger } from './compose-ledger.js';
import { openSpool } from './compose-spool.js';
import { providersOf } from './compose-targets.js';
import { composeUpkeep } from './compose-upkeep.js';
import type { Config } from './config.js';
import type { Clock } from './core/clock.js';
import { uuidV7 } from './core/id.js';
import type { Log } from './core/log.js';
import { realClock } from './drivers/clock.js';
import type { Database } from './drivers/database.js';
import { type Metrics, openMetrics } from './drivers/metrics.js';
import type { MigrationStep } from './drivers/migrate.js';
import { openTokenizer } from './drivers/tokenizer.js';
import type { Readiness } from './edges/http/health.js';
import { openServer } from './edges/http/server.js';
import { openSandbox } from './edges/sandbox/sandbox.js';
import { type Bootstrapped, bootstrap } from './flows/admin/bootstrap.js';
import { loadPepper } from './stores/api-keys.js';
import { openDirectory } from './stores/directory.js';
import type { Ledger } from './stores/ledger/ledger.js';

export interface ComposeOptions {
  log: Log & { addSecret(secret: string): void };
  clock?: Clock;
  /** Rows that are open already; they are migrated, and closed with the gateway. */
  rows?: OpenRows;
  onStep?: (step: MigrationStep) => void;
}

/** A gateway that listens. */
export interface Gateway {
  address: string;
  operatorAddress: string;
  ledger: Ledger;
  database: Database;
  described: { ledger: string; database: string };
  bootstrapped: Bootstrapped;
  /** Resolves when every event so far is a row. */
  drained(): Promise<void>;
  /** No new calls; waits for the running ones up to the grace, then ends them and all the rest. */
  stop(graceMs: number): Promise<void>;
  /** Ends the running calls now: what passed until here is booked and written down. */
  hurry(): void;
}

/** Ends what was opened, last first; one that fails does not keep the others open. */
class Closers {
  readonly #all: { name: string; close: () => Promise<unknown> | unknown }[] = [];

  constructor(readonly log: Log) {}

  add(name: string, close: () => Promise<unknown> | unknown): void {
    this.#all.push({ name, close });
  }

  async close(): Promise<void> {
    for (const { name, close } of this.#all.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        this.log.error({ part: name, error }, 'a part did not end properly');
      }
    }
  }
}

export async function compose(config: Config, options: ComposeOptions): Promise<Gateway> {
  const closers = new Closers(options.log);
  try {
    return await build(config, options, closers);
  } catch (error) {
    await closers.close();
    throw error;
  }
}

async function build(config: Config, options: ComposeOptions, closers: Closers): Promise<Gateway> {
  const { log, clock = realClock } = options;
  const { rows, tokenizer } = await openSlow(config, options, closers);
  const { database } = rows;
  await migrate(database, options.onStep ?? (() => {}));
  const pepper = await loadPepper(database, config.keyPepper ?? undefined);
  const directory = await openDirectory({ database, clock, log });
  closers.add('directory', () => directory.close());
  const adminDeps = { database, clock, log, directory, pepper };
  const bootstrapped = await bootstrap(adminDeps, { rows: config, adminKey: config.adminKey });

  const metrics = openMetrics();
  const spool = await openSpool(config, clock, log);
  closers.add('spool', () => spool.close());
  const opened = await composeLedger(config, clock, log);
  closers.add('ledger', () => opened.close());
  const { ledger } = opened;
  const owner = uuidV7(clock.nowMs());
  const parts = { ...adminDeps, config, metrics, spool, opened, ledger, owner };
  const upkeep = await composeUpkeep(parts);
  closers.add('upkeep', () => upkeep.close());

  const sandbox = config.sandbox ? await openSandbox({ clock }) : undefined;
  if (sandbox) closers.add('sandbox', () => sandbox.close());
  const providers = providersOf(config, sandbox?.baseUrl);
  for (const { apiKey } of providers) log.addSecret(apiKey);
  const call = composeCall({ ...parts, tokenizer, providers, live: upkeep.live });
  closers.add('upstreams', () => call.close());
  closers.add('calibration', () => call.calibrator.stop());
  closers.add('asking for usage', () => call.settler.stop());

  await call.calibrator.start();
  const servers = await openServers(parts, call, () => upkeep.ready());
  tokenizer.warmWorker();
  upkeep.start();
  call.settler.start();
  return {
    ...servers.addresses,
    ledger,
    database,
    described: { ledger: opened.described, database: rows.described },
    bootstrapped,
    drained: () => upkeep.drained(),
    hurry() {
      upkeep.endAll(STOPPING);
      // Whoever is still sending a request, or takes nothing of an answer, is not waited for.
      void servers.clients.close(SETTLE_MS);
    },
    stop: once(async (graceMs) => {
      const cancel = clock.after(graceMs, () => upkeep.endAll(STOPPING));
      await servers.clients.close(graceMs + SETTLE_MS);
      // Calls whose clients have left are still read on for; they have the same grace.
      await call.idle();
      cancel();
      await servers.operators?.close(0);
      await closers.close();
    }),
  };
}

/** What takes long to open: the database in its thread, the tokenizer here meanwhile. */
async function openSlow(config: Config, options: ComposeOptions, closers: Closers) {
  const tokenizer = openTokenizer({
    loopEncodings: ['o200k_base'],
    workerEncodings: ['o200k_base', 'cl100k_base'],
  });
  closers.add('tokenizer', () => tokenizer.close());
  const load = () => tokenizer.loadLoop();
  const rows = options.rows ?? (await openRows(config, load));
  closers.add('database', () => rows.close());
  load();
  return { rows, tokenizer };
}

function once(stop: (graceMs: number) => Promise<void>): (graceMs: number) => Promise<void> {
  let stopped: Promise<void> | undefined;
  return (graceMs) => {
    stopped ??= stop(graceMs);
    return stopped;
  };
}

type ServerParts = AdminParts & { config: Config; metrics: Metrics };

async function openServers(
  parts: ServerParts,
  call: ReturnType<typeof composeCall>,
  ready: () => Promise<Readiness>,
) {
  const { config, clock, log, metrics } = parts;
  const more = composeAdmin(parts, call.previewPrompt);
  const operators = { ready, metrics: () => metrics.text() };
  const base = { clock, log, ...serverTimeouts(config) };
  const clients = {
    proxy: call.proxy,
    caller: call.caller,
    quote: call.quote,
    keptResponse: call.door,
  };
  const shared = config.operatorListen === null;
  const server = await openServer({
    ...base,
    ...config.listen,
    clients,
    operators: shared ? operators : { ready },
    ...(shared ? { more } : {}),
  });
  const operatorServer = config.operatorListen
    ? await openServer({ ...base, ...config.operatorListen, operators, more })
    : undefined;
  return {
    clients: server,
    operators: operatorServer,
    addresses: {
      address: server.address,
      operatorAddress: operatorServer?.address ?? server.address,
    },
  };
}

// After the grace running calls get an error event; this long they may take to be written down.
const SETTLE_MS = 2_000;
const STOPPING = 'the gateway is stopping';

function serverTimeouts(config: Config) {
  const { headersMs, bodyMs, keepAliveMs } = config.timeouts;
  return { headersTimeoutMs: headersMs, requestTimeoutMs: bodyMs, keepAliveMs };
}
