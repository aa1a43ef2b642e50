// The shape of config/gateway.yaml. Strict everywhere: a key that is not here is an error. Each
// description is shown by editors (through the JSON schema) and by errors, as what was expected.

import { z } from 'zod';
import { limitSchema } from './config-schema-limits.js';
import { noticesSchema } from './config-schema-notices.js';
import { parseUsd } from './core/money.js';
import { parseUsdPerMillion } from './rules/catalog/override.js';

// `${PORT:-8787}` arrives as text: where a number or a truth value is expected it is read as one.
const readScalar = (value: unknown): unknown => {
  if (typeof value !== 'string') return value;
  if (/^\d{1,15}$/.test(value)) return Number(value);
  return value === 'true' ? true : value === 'false' ? false : value;
};

const whole = (min: number, max: number) =>
  z.preprocess(readScalar, z.number().int().min(min).max(max));
const flag = () => z.preprocess(readScalar, z.boolean());
const ms = (fallback: number, what: string) =>
  whole(1, 86_400_000).default(fallback).describe(`${what}, in milliseconds`);
const name = (what: string, max = 100) => z.string().min(1).max(max).describe(what);

const listen = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').describe('address to listen on, as 127.0.0.1'),
  port: whole(0, 65_535).default(8787).describe('port to listen on, 0 to 65535; 0 is any free one'),
});

const provider = z.strictObject({
  dialect: z.enum(['openai', 'anthropic']).describe('wire format: openai or anthropic'),
  base_url: z
    .url({ protocol: /^https?$/ })
    .describe('address such as https://api.openai.com/v1, without the path of a single call'),
  api_key: z.string().optional().describe('key as text, best by the name of a variable'),
  api_key_file: z.string().min(1).optional().describe('path of a file that holds the key'),
  allow_private: flag()
    .default(false)
    .describe('true if the address may be on this machine or in a private network'),
  headers: z
    .record(z.string().regex(/^[A-Za-z0-9-]+$/), z.string())
    .default({})
    .describe('further request headers, such as api-key'),
  like: z.string().min(1).optional().describe('name of the provider that it behaves like'),
});

const providers = z
  .object({ sandbox: flag().default(true).describe('true or false: the built-in sandbox') })
  .catchall(provider)
  .describe('providers by name, each with dialect, base_url and api_key');

const usdPerMillion = z
  .union([z.number(), z.string()])
  .refine((value) => parseUsdPerMillion(value) !== undefined)
  .optional()
  .describe('USD per million tokens, a plain decimal with at most six places, such as 0.15');
const feeUsd = z
  .union([z.number(), z.string()])
  .refine((value) => parseUsd(value) !== undefined)
  .optional()
  .describe('USD, a plain decimal with at most nine places, such as 0.01');

const tokenPrices = {
  input: usdPerMillion,
  cached_read: usdPerMillion,
  cache_write_5m: usdPerMillion,
  cache_write_1h: usdPerMillion,
  output: usdPerMillion,
  reasoning: usdPerMillion,
  audio_input: usdPerMillion,
  audio_output: usdPerMillion,
  image_input: usdPerMillion,
};

const price = z.strictObject({
  ...tokenPrices,
  service_tiers: z
    .record(z.string().min(1).max(40), z.strictObject(tokenPrices))
    .optional()
    .describe('token prices at other tiers of service, such as flex or priority'),
  fee_request_usd: feeUsd,
  fee_web_search_usd: feeUsd,
  context_tokens: whole(1, 1e9).optional().describe('size of the context window, in tokens'),
  output_tokens_max: whole(1, 1e9).optional().describe('most tokens of one answer'),
  hidden_output: flag().optional().describe('true if output is billed that is not streamed'),
});

const target = z
  .string()
  .regex(/^[^/\s]+\/\S+$/)
  .describe('provider/model, such as openai/gpt-4o-mini');

const project = z.strictObject({
  name: name('name of the project'),
  description: z.string().optional().describe('text'),
  github_repo: z.string().min(1).max(255).optional().describe('owner/name'),
});

const agent = z.strictObject({
  name: name('name of the agent, at most 50 characters', 50),
  type: z
    .enum(['orchestrator', 'architect', 'coder', 'tester', 'reviewer'])
    .describe('one of orchestrator, architect, coder, tester, reviewer'),
  project: name('name of the project that the agent works for').optional(),
  tier: whole(1, 9).optional().describe('tier of the agent, 1 to 9'),
  model_config: z
    .record(z.string(), z.json())
    .default({})
    .describe('defaults of its calls, such as { max_tokens: 2000 }'),
});

const timeouts = z.strictObject({
  connect_ms: ms(5_000, 'connecting to a provider'),
  first_byte_ms: ms(120_000, 'first byte of a stream'),
  answer_ms: ms(600_000, 'first byte of an answer that is not streamed'),
  idle_ms: ms(120_000, 'silence between two bytes of a provider'),
  request_ms: ms(3_600_000, 'the whole call'),
  headers_ms: ms(10_000, "receiving a client's headers"),
  body_ms: ms(60_000, "receiving a client's body"),
  keep_alive_ms: ms(65_000, 'keeping an idle connection of a client'),
  stall_ms: ms(120_000, 'a client that does not read on'),
  left_ms: ms(30_000, 'reading on for the usage after a client left'),
  drain_ms: ms(30_000, 'finishing running calls after SIGTERM'),
});

export const configSchema = z.strictObject({
  listen: listen.prefault({}).describe('where clients connect: host and port'),
  operator_listen: listen
    .optional()
    .describe('a listener of their own for /metrics and /admin: host and port'),
  mode: z
    .enum(['enforce', 'dry'])
    .default('enforce')
    .describe('enforce, or dry: refuse nothing and tell in a header what would be refused'),
  data_dir: name('folder of the embedded database and the spool', 1000).default('./data'),
  database_url: z
    .string()
    .regex(/^(postgres(ql)?:\/\/.+)?$/)
    .optional()
    .describe('postgres://user:password@host:5432/name; without it the database is embedded'),
  database_url_file: z.string().min(1).optional().describe('path of a file that holds the URL'),
  redis_url: z
    .string()
    .regex(/^(rediss?:\/\/.+)?$/)
    .optional()
    .describe('redis://host:6379; without it the ledger is in this process'),
  redis_url_file: z.string().min(1).optional().describe('path of a file that holds the URL'),
  admin_key: z
    .string()
    .regex(/^(\S{24,})?$/)
    .optional()
    .describe('key of the first operator, at least 24 characters without spaces'),
  admin_key_file: z.string().min(1).optional().describe('path of a file that holds the key'),
  key_pepper: z
    .string()
    .regex(/^(\S{24,})?$/)
    .optional()
    .describe('secret that keys are hashed with, at least 24 characters without spaces'),
  key_pepper_file: z.string().min(1).optional().describe('path of a file that holds the pepper'),
  workers: whole(1, 256).default(1).describe('number of gateway processes, 1 to 256'),
  providers: providers.prefault({}),
  models: z
    .record(
      z.string().regex(/^[^\s*]*\*?$/),
      z.union([target, z.array(target).min(1)]).describe('a list such as [openai/gpt-4o-mini]'),
    )
    .default({})
    .describe('public model names, each with its targets in order'),
  prices: z
    .record(z.string().regex(/^[^/\s]+\/\S+$/), price)
    .default({})
    .describe('prices by provider/model, in USD per million tokens'),
  projects: z.array(project).default([]).describe('a list such as [{ name: demo }]'),
  agents: z.array(agent).default([]).describe('a list of agents: name, type, project, tier'),
  limits: z.array(limitSchema).optional().describe('a list of limits'),
  budgets: z.array(limitSchema).optional().describe('another name of limits'),
  notices: noticesSchema,
  timeouts: timeouts.prefault({}).describe('timeouts in milliseconds'),
  breaker: z
    .strictObject({
      failures: whole(1, 1000).default(5).describe('failures in a row that open it'),
      open_ms: ms(15_000, 'how long it stays open'),
    })
    .prefault({})
    .describe('when a target that fails is left out: failures and open_ms'),
  ledger: z
    .strictObject({
      lease_ms: ms(15_000, 'how long a hold outlives its gateway'),
      beat_ms: ms(1_000, 'how often a running call renews its hold'),
      reap_ms: ms(2_000, 'how often overdue holds are looked for'),
      command_timeout_ms: ms(100, 'how long Redis may take to answer'),
    })
    .prefault({})
    .describe('lease_ms, beat_ms, reap_ms and command_timeout_ms'),
  default_max_output_tokens: whole(1, 1e7)
    .default(4096)
    .describe('output bound in tokens where neither client, agent nor catalog has one'),
  on_tight: z
    .enum(['refuse', 'shrink'])
    .default('refuse')
    .describe('refuse, or shrink: ask for a shorter answer that still fits'),
  limits_exceeded_status: z
    .preprocess(readScalar, z.literal([402, 429]))
    .default(402)
    .describe('402 or 429: the status of a budget refusal'),
  body_bytes_max: whole(1024, 1 << 30)
    .default(32 << 20)
    .describe('largest request, in bytes'),
  answer_bytes_max: whole(1024, 1 << 30)
    .default(16 << 20)
    .describe('largest answer that is buffered to tell its cost in headers, in bytes'),
  log: z
    .strictObject({
      level: z
        .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
        .default('info')
        .describe('one of trace, debug, info, warn, error, silent'),
    })
    .prefault({})
    .describe('level'),
  prompts: z
    .strictObject({
      rules_roots: z
        .array(z.string().min(1))
        .default([])
        .describe('folders in which projects may have rules files; none: they are not read'),
      keep_text: flag().default(false).describe('true to write the text of fitted prompts down'),
    })
    .prefault({})
    .describe('rules_roots and keep_text'),
  compat: z
    .strictObject({
      litellm_headers: flag().default(false).describe('true to mirror x-litellm-* headers'),
    })
    .prefault({})
    .describe('litellm_headers'),
});

export type ConfigFile = z.output<typeof configSchema>;
