// What the configuration comes to once flags, environment, file and defaults are one: plain values
// with units in their names. `compose.ts` maps them onto the options of each part.

import type { JsonObject } from './core/json.js';
import type { ConfiguredLimit } from './flows/admin/apply-limits.js';
import type { PriceOverrides } from './rules/catalog/catalog.js';

export interface Listen {
  host: string;
  /** 0: any free port. */
  port: number;
}

export interface ProviderConfig {
  name: string;
  dialect: 'openai' | 'anthropic';
  /** Without a trailing slash. */
  baseUrl: string;
  /** Empty where none is set. */
  apiKey: string;
  /** The environment variable that would set the key: what an error names. */
  apiKeyVariable: string;
  /** May be called: has a key, or is private and needs none. */
  configured: boolean;
  allowPrivate: boolean;
  headers: Readonly<Record<string, string>>;
  /** The provider whose built-in quirks apply; its own name unless the file says another. */
  like: string;
}

/** A public model name and where it goes, in order. A trailing `*` stands for the same rest. */
export interface RouteConfig {
  model: string;
  /** `provider/model` each. */
  targets: readonly string[];
}

export interface ProjectConfig {
  name: string;
  description: string | null;
  githubRepo: string | null;
}

export interface AgentConfig {
  name: string;
  type: 'orchestrator' | 'architect' | 'coder' | 'tester' | 'reviewer';
  project: string | null;
  tier: number | null;
  modelConfig: JsonObject;
}

/** A limit without a name is called `agent:demo/coder-1/usd/daily` and the like. */
export type LimitConfig = ConfiguredLimit;

export interface TimeoutsConfig {
  connectMs: number;
  /** First byte of a stream. */
  firstByteMs: number;
  /** First byte of an answer that is not streamed, which comes only when all of it is made. */
  answerMs: number;
  /** Between two bytes of the upstream. */
  idleMs: number;
  /** The whole call. */
  requestMs: number;
  /** The client's request line and headers; its body; a kept connection without a request. */
  headersMs: number;
  bodyMs: number;
  keepAliveMs: number;
  /** How long a client may refuse to read on. */
  stallMs: number;
  /** How long a call is read on for its usage after the client left it, if it is no stream. */
  leftMs: number;
  /** How long running calls may take after SIGTERM. */
  drainMs: number;
}

export interface NoticeConfig {
  /** `webhook 1`, `slack 1`. */
  name: string;
  kind: 'webhook' | 'slack';
  url: string;
  /** Empty for Slack. */
  secret: string;
  events: readonly string[] | undefined;
}

export interface Config {
  /** The file that was read, absolute. */
  file: string;
  /** What is odd but no error, one line each. */
  warnings: readonly string[];
  mode: 'enforce' | 'dry';
  listen: Listen;
  /** A listener of their own for `/metrics` and `/admin`; null: they share the first. */
  operatorListen: Listen | null;
  /** Absolute. */
  dataDir: string;
  /** Null: embedded. */
  databaseUrl: string | null;
  redisUrl: string | null;
  adminKey: string | null;
  keyPepper: string | null;
  workers: number;
  sandbox: boolean;
  providers: readonly ProviderConfig[];
  routes: readonly RouteConfig[];
  /** As the file spells them, checked; the catalog reads them. */
  prices: PriceOverrides;
  projects: readonly ProjectConfig[];
  agents: readonly AgentConfig[];
  limits: readonly LimitConfig[];
  timeouts: TimeoutsConfig;
  breaker: { failures: number; openMs: number };
  ledger: { leaseMs: number; beatMs: number; reapMs: number; commandTimeoutMs: number };
  defaultMaxOutputTokens: number;
  /** Where notices go: thresholds passed, budgets used up, periods closed, keys revoked. */
  notices: readonly NoticeConfig[];
  onTight: 'refuse' | 'shrink';
  limitsExceededStatus: 402 | 429;
  bodyBytesMax: number;
  /** Up to this much a JSON answer is buffered, so that its headers can tell its cost. */
  answerBytesMax: number;
  logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** Folders in which projects may have rules files, absolute; whether prompts' text is kept. */
  prompts: { rulesRoots: readonly string[]; keepText: boolean };
  compat: { litellmHeaders: boolean };
  /** A failpoint to die at; only ever set with NODE_ENV=test. */
  crashAt: string | null;
}
