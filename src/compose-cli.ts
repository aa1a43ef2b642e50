// What the commands are given: the configuration as they show it, a gateway of their own where
// none runs, the migrations, the prices.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compose, type Gateway } from './compose.js';
import { openRows } from './compose-database.js';
import { changeCatalog, readCatalog } from './compose-prices.js';
import { isPrimary, ownConfig, runPrimary, speaksForAll } from './compose-workers.js';
import { type Config, type Environment, loadConfig } from './config.js';
import { OperatorError } from './core/errors.js';
import { isJsonObject, parseJson } from './core/json.js';
import { verifyDatabase } from './drivers/catalogue.js';
import { realClock } from './drivers/clock.js';
import { openLog } from './drivers/log.js';
import { migrateDown, migrateUp, migrationStates } from './drivers/migrate.js';
import { bannerText } from './edges/cli/banner.js';
import type { CliDeps, CliFlags, CliSettings, Output } from './edges/cli/deps.js';

export interface Surroundings {
  env: Environment;
  cwd: string;
  out: Output;
  err: Output;
  /** Calls back at SIGTERM and SIGINT, each time. */
  onSignal(callback: () => void): void;
  exit(code: number): void;
}

export function composeCli(here: Surroundings): CliDeps {
  const configOf = (flags: CliFlags): Config => loadConfig({ env: here.env, flags, cwd: here.cwd });
  return {
    version: version(),
    out: here.out,
    err: here.err,
    clock: realClock,
    settings: (flags) => settingsOf(configOf(flags)),
    start: (flags) => start(configOf(flags), here),
    openLocal: (flags) => openLocal(configOf(flags)),
    async openMigrator(flags, onStep) {
      const rows = await openRows(configOf(flags));
      const options = { database: rows.database, onStep };
      return {
        up: (to) => migrateUp(options, to),
        down: (to) => migrateDown(options, to),
        states: () => migrationStates(options),
        verify: async () =>
          (await verifyDatabase(options))
            .filter((finding) => !finding.passed)
            .map((finding) => `${finding.check}: ${finding.remedy}`),
        close: () => rows.close(),
      };
    },
    openCatalog: (flags) => readCatalog(configOf(flags)),
    changeCatalog: (flags, path, write) => changeCatalog(configOf(flags), path, write),
  };
}

async function start(all: Config, here: Surroundings): Promise<void> {
  const pretty = here.out.isTTY;
  const log = openLog({ level: levelOf(all), pretty });
  if (isPrimary(all)) return runPrimary({ ...here, config: all, log });
  const config = ownConfig(all, here.env);
  const gateway = await compose(config, { log });
  keepAdminKey(all, gateway);
  if (speaksForAll(all, here.env)) {
    here.out.write(bannerText(bannerFacts(all, gateway), pretty));
  }
  let stopping = false;
  here.onSignal(() => {
    // The second signal is in a hurry: what runs is ended and written down at once.
    const graceMs = stopping ? 0 : config.timeouts.drainMs;
    if (stopping) gateway.hurry();
    stopping = true;
    log.info({ graceMs }, 'stopping');
    gateway.stop(graceMs).then(
      () => {
        log.flush();
        here.exit(0);
      },
      (error: unknown) => {
        log.error({ error }, 'could not stop properly');
        log.flush();
        here.exit(1);
      },
    );
  });
}

// Its own listener on a free port of this machine, for as long as one command takes.
async function openLocal(config: Config) {
  const log = openLog({ level: 'silent', pretty: false });
  const local = { ...config, listen: { host: '127.0.0.1', port: 0 }, operatorListen: null };
  const gateway = await compose({ ...local, sandbox: false }, { log });
  keepAdminKey(config, gateway);
  const adminKey = gateway.bootstrapped.adminKey ?? config.adminKey ?? readAdminKey(config);
  const close = () => gateway.stop(0);
  if (adminKey !== undefined) return { origin: gateway.operatorAddress, adminKey, close };
  await close();
  throw new OperatorError(
    `No admin key: ${adminKeyFile(config)} is not there.`,
    'Set PURSER_ADMIN_KEY to an admin key of this installation.',
  );
}

function adminKeyFile(config: Config): string {
  return join(config.dataDir, 'admin-key');
}

function keepAdminKey(config: Config, gateway: Gateway): void {
  const made = gateway.bootstrapped.adminKey;
  if (made !== undefined) writeFileSync(adminKeyFile(config), `${made}\n`, { mode: 0o600 });
}

function readAdminKey(config: Config): string | undefined {
  try {
    return readFileSync(adminKeyFile(config), 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function bannerFacts(config: Config, gateway: Gateway) {
  const { agentKey, adminKey } = gateway.bootstrapped;
  return {
    version: version(),
    address: gateway.address,
    operatorAddress: config.operatorListen ? gateway.operatorAddress : null,
    ...storesOf(config),
    dataDir: config.dataDir,
    configFile: config.file,
    mode: config.mode,
    sandbox: config.sandbox,
    providers: config.providers.filter((one) => one.configured).map((one) => one.name),
    madeKeys: {
      agent: agentKey ? { name: agentKey.agent, key: agentKey.text } : null,
      admin: adminKey === undefined ? null : { key: adminKey, file: adminKeyFile(config) },
    },
    warnings: config.warnings,
  };
}

function storesOf(config: Config) {
  return {
    ledger: config.redisUrl === null ? ('memory' as const) : ('redis' as const),
    database: config.databaseUrl === null ? ('embedded' as const) : ('postgres' as const),
  };
}

function settingsOf(config: Config): CliSettings {
  const { host, port } = config.operatorListen ?? config.listen;
  const local = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return {
    configFile: config.file,
    warnings: config.warnings,
    origin: `http://${local.includes(':') ? `[${local}]` : local}:${port}`,
    adminKey: config.adminKey,
    adminKeyFile: adminKeyFile(config),
    dataDir: config.dataDir,
    ...storesOf(config),
    providers: config.providers.map(({ name, baseUrl, configured, apiKeyVariable }) => ({
      name,
      baseUrl,
      configured,
      keyVariable: apiKeyVariable,
    })),
  };
}

function levelOf(config: Config) {
  return config.logLevel === 'trace' ? 'debug' : config.logLevel;
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const found = parseJson(text);
  return isJsonObject(found) && typeof found.version === 'string' ? found.version : '0.0.0';
}
