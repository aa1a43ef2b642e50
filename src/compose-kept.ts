// What providers keep under an id: the door to stored responses, and the asking for usage that
// nobody told.

import type { Config } from './config.js';
import type { Provider } from './core/call.js';
import type { Clock } from './core/clock.js';
import { isJsonObject, parseJson } from './core/json.js';
import type { Log } from './core/log.js';
import type { Upstream, UpstreamRequest } from './core/upstream.js';
import type { Usage } from './core/usage.js';
import type { KeptAs } from './core/usage-event.js';
import type { Database } from './drivers/database.js';
import type { Metrics } from './drivers/metrics.js';
import { sendWhole } from './drivers/upstream-whole.js';
import {
  createKeptResponseDoor,
  type KeptResponseDoorDeps,
} from './edges/http/kept-response-door.js';
import { keptResponse } from './flows/call/kept-response.js';
import { createSettler, type SettleOptions } from './flows/upkeep/settle.js';
import type { Catalog } from './rules/catalog/catalog.js';
import { charge } from './rules/catalog/charge.js';
import { priceAt } from './rules/catalog/tier-rates.js';
import { chat } from './rules/dialects/chat.js';
import { readGeneration } from './rules/dialects/generation-usage.js';
import { responses } from './rules/dialects/responses.js';
import { keptPath } from './rules/providers/kept-as.js';
import type { Ledger } from './stores/ledger/ledger.js';
import type { ResponseIds } from './stores/response-ids.js';
import type { Spool } from './stores/spool.js';
import { createUnsettledCalls } from './stores/unsettled.js';
import { createUsageStore } from './stores/usage/usage.js';

export interface KeptParts {
  config: Config;
  database: Database;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  ledger: Ledger;
  spool: Spool;
  upstream: Upstream;
  catalog: Catalog;
  providers: ReadonlyMap<string, Provider>;
  responseIds: ResponseIds;
  authenticate: KeptResponseDoorDeps['authenticate'];
}

const ANSWER_BYTES_MAX = 32 * 1024 * 1024;
const SETTLE_EVERY_MS = 5_000;

export function composeKept(parts: KeptParts) {
  const { database, clock, log, metrics, ledger, spool, providers, responseIds } = parts;
  const send = (provider: Provider, method: 'GET' | 'DELETE', path: string) =>
    sendWhole(parts.upstream, requestOf(parts.config, provider, method, path), ANSWER_BYTES_MAX);
  const serve: KeptResponseDoorDeps['serve'] = (request) =>
    keptResponse(
      {
        responseIds,
        async send(name, method, path) {
          const provider = providers.get(name);
          return provider && send(provider, method, path);
        },
      },
      request,
    );
  const calls = createUnsettledCalls(database);
  const ask: SettleOptions['ask'] = async (reading, startedAtMs) => {
    const provider = providers.get(reading.provider);
    if (!provider) return { why: 'never' };
    const { id, as } = reading.kept;
    const answer = await send(provider, 'GET', keptPath(as, id));
    if (!('status' in answer)) return { why: 'unknown' };
    if (answer.status !== 200) return { why: NEVER.has(answer.status) ? 'never' : 'unknown' };
    const usage = usageOf(answer.body, as, provider);
    const price = parts.catalog.find(provider.name, reading.model, startedAtMs);
    const costNanoUsd =
      usage && price ? charge(priceAt(price, reading.serviceTier), usage) : reading.costNanoUsd;
    return usage ? { usage, costNanoUsd } : { why: 'unknown' };
  };
  const usage = createUsageStore(database);
  const everyMs = SETTLE_EVERY_MS;
  const settler = createSettler({ calls, usage, ledger, spool, ask, clock, log, everyMs });
  metrics.gauge('purser_unsettled_calls', 'Calls whose provider is asked for their usage.', () =>
    settler.waiting(),
  );
  const door = createKeptResponseDoor({ log, authenticate: parts.authenticate, serve });
  return { door, settler };
}

/** 404 is none of them: a router of providers knows a generation only after a while. */
const NEVER = new Set([400, 401, 403, 405, 410]);

function usageOf(body: Buffer, as: KeptAs, { quirks }: Provider): Usage | undefined {
  const json = parseJson(body.toString('utf8'));
  if (!isJsonObject(json)) return undefined;
  if (as === 'generation') return readGeneration(json);
  if (json.status === 'in_progress' || json.status === 'queued') return undefined;
  return (as === 'response' ? responses : chat).readAnswer(json, quirks).usage;
}

function requestOf(
  { timeouts }: Config,
  { baseUrl, headers, allowPrivate }: Provider,
  method: 'GET' | 'DELETE',
  path: string,
): UpstreamRequest {
  return {
    method,
    url: baseUrl + path,
    headers: { ...headers, accept: 'application/json' },
    body: null,
    allowPrivate,
    connectTimeoutMs: timeouts.connectMs,
    firstByteTimeoutMs: timeouts.firstByteMs,
    idleTimeoutMs: timeouts.idleMs,
  };
}
