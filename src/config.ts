// The configuration of one start: flag over environment over file over default, strict, every
// fault told at once. The only place besides main that sees the environment.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { disagreements } from './config-checks.js';
import { limitConfig } from './config-limits.js';
import { ConfigError, type ConfigProblem, problemsOf, spellPath } from './config-problems.js';
import { type ConfigFile, configSchema } from './config-schema.js';
import { ConfigSource, type Environment, type Flags, KNOWN_VARIABLES } from './config-source.js';
import type { AgentConfig, Config, LimitConfig, ProviderConfig } from './config-types.js';
import { closest } from './core/closest.js';
import { OperatorError } from './core/errors.js';

export { ConfigError } from './config-problems.js';
export type { Environment, Flags } from './config-source.js';
export type * from './config-types.js';

export interface ConfigInput {
  env: Environment;
  /** By their name without dashes in front: `port`, `data-dir`, `config`. */
  flags?: Flags;
  cwd: string;
}

/** Reads and checks everything; throws a `ConfigError` that names every fault. */
export function loadConfig({ env, flags = {}, cwd }: ConfigInput): Config {
  const file = findFile(env, flags, cwd);
  const source = new ConfigSource({ file, text: readText(file), env, flags, cwd });
  const parsed = configSchema.safeParse(source.tree);
  const issues = parsed.error?.issues ?? [];
  const problems: ConfigProblem[] = [...source.problems];
  // Of a file that is no YAML there is nothing more to say.
  if (problems.length === 0 || issues.length > 0)
    problems.push(...problemsOf(issues, source.fromOf));
  const sound = parsed.data ?? soundSections(source.tree, new Set(issues.map((i) => i.path[0])));
  for (const { path, message, remedy } of disagreements(sound)) {
    problems.push({ path: spellPath(path), from: source.fromOf(path), message, remedy });
  }
  const config = parsed.data && toConfig(parsed.data, { file, source, env, cwd });
  if (config) problems.push(...sameNames(config.limits));
  if (problems.length > 0 || !config) throw new ConfigError(file, problems);
  return config;
}

/** `--config`, PURSER_CONFIG, `config/gateway.yaml` here, else the one that Purser came with. */
function findFile(env: Environment, flags: Flags, cwd: string): string {
  const named = flags.config ?? (env.PURSER_CONFIG || undefined);
  if (named !== undefined) return resolve(cwd, named);
  const here = join(cwd, 'config', 'gateway.yaml');
  if (existsSync(here)) return here;
  return join(dirname(dirname(fileURLToPath(import.meta.url))), 'config', 'gateway.yaml');
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new OperatorError(
      `the configuration ${file} cannot be read (${code})`,
      'Name another with --config or PURSER_CONFIG, or leave both out.',
      { cause: error },
    );
  }
}

function soundSections(
  tree: Readonly<Record<string, unknown>>,
  broken: ReadonlySet<PropertyKey | undefined>,
): Partial<ConfigFile> {
  const sections = Object.entries(configSchema.shape).filter(([key]) => !broken.has(key));
  return Object.fromEntries(sections.map(([key, schema]) => [key, schema.parse(tree[key])]));
}

function toConfig(
  file: ConfigFile,
  context: { file: string; source: ConfigSource; env: Environment; cwd: string },
): Config {
  const { env, source, cwd } = context;
  const agents = file.agents.map(
    (agent): AgentConfig => ({
      name: agent.name,
      type: agent.type,
      project: agent.project ?? null,
      tier: agent.tier ?? null,
      modelConfig: agent.model_config,
    }),
  );
  return {
    file: context.file,
    warnings: unknownVariables(env),
    mode: file.mode,
    listen: file.listen,
    operatorListen: file.operator_listen ?? null,
    dataDir: resolve(cwd, file.data_dir),
    databaseUrl: file.database_url || null,
    redisUrl: file.redis_url || null,
    adminKey: file.admin_key || null,
    keyPepper: file.key_pepper || null,
    workers: file.workers,
    sandbox: file.providers.sandbox,
    providers: providerConfigs(file, source),
    routes: Object.entries(file.models).map(([model, targets]) => ({
      model,
      targets: [targets].flat(),
    })),
    prices: file.prices as Config['prices'],
    projects: file.projects.map((project) => ({
      name: project.name,
      description: project.description ?? null,
      githubRepo: project.github_repo ?? null,
    })),
    agents,
    limits: (file.limits ?? file.budgets ?? []).map((limit) => limitConfig(limit, agents)),
    ...figures(file),
    notices: [
      ...file.notices.webhooks.map((one, index) => ({
        ...{ name: `webhook ${index + 1}`, kind: 'webhook' as const },
        ...{ url: one.url, secret: one.secret, events: one.events },
      })),
      ...file.notices.slack.map((one, index) => ({
        ...{ name: `slack ${index + 1}`, kind: 'slack' as const, url: one.url, secret: '' },
        events: one.events,
      })),
    ],
    prompts: {
      rulesRoots: file.prompts.rules_roots.map((root) => resolve(cwd, root)),
      keepText: file.prompts.keep_text,
    },
    crashAt: env.NODE_ENV === 'test' ? env.PURSER_CRASH_AT || null : null,
  };
}

function figures(file: ConfigFile) {
  const { timeouts, ledger, breaker } = file;
  return {
    timeouts: {
      connectMs: timeouts.connect_ms,
      firstByteMs: timeouts.first_byte_ms,
      answerMs: timeouts.answer_ms,
      idleMs: timeouts.idle_ms,
      requestMs: timeouts.request_ms,
      headersMs: timeouts.headers_ms,
      bodyMs: timeouts.body_ms,
      keepAliveMs: timeouts.keep_alive_ms,
      stallMs: timeouts.stall_ms,
      leftMs: timeouts.left_ms,
      drainMs: timeouts.drain_ms,
    },
    breaker: { failures: breaker.failures, openMs: breaker.open_ms },
    ledger: {
      leaseMs: ledger.lease_ms,
      beatMs: ledger.beat_ms,
      reapMs: ledger.reap_ms,
      commandTimeoutMs: ledger.command_timeout_ms,
    },
    defaultMaxOutputTokens: file.default_max_output_tokens,
    onTight: file.on_tight,
    limitsExceededStatus: file.limits_exceeded_status,
    bodyBytesMax: file.body_bytes_max,
    answerBytesMax: file.answer_bytes_max,
    logLevel: file.log.level,
    compat: { litellmHeaders: file.compat.litellm_headers },
  };
}

function providerConfigs(file: ConfigFile, source: ConfigSource): ProviderConfig[] {
  return Object.entries(file.providers).flatMap(([name, provider]) => {
    if (typeof provider === 'boolean') return [];
    // Without a key in the file, `OPENAI_API_KEY` is that of the provider `openai`.
    const usual = `${name.toUpperCase().replaceAll('-', '_')}_API_KEY`;
    const apiKey = provider.api_key ?? source.variable(usual) ?? '';
    return {
      name,
      dialect: provider.dialect,
      baseUrl: provider.base_url.replace(/\/+$/, ''),
      apiKey,
      apiKeyVariable: source.variableAt(['providers', name, 'api_key']) ?? usual,
      configured: apiKey !== '' || provider.allow_private || hasCredential(provider.headers),
      allowPrivate: provider.allow_private,
      headers: provider.headers,
      like: provider.like ?? name,
    };
  });
}

/** Azure and others take their key in a header of their own. */
function hasCredential(headers: Readonly<Record<string, string>>): boolean {
  return Object.entries(headers).some(
    ([name, value]) => value !== '' && /^(authorization|api-key|x-api-key)$/i.test(name),
  );
}

function sameNames(limits: readonly LimitConfig[]): ConfigProblem[] {
  const seen = new Set<string>();
  return limits.flatMap(({ name }, index) => {
    if (!seen.has(name)) {
      seen.add(name);
      return [];
    }
    const remedy = 'Remove it, or give it a `name:` of its own';
    return [{ path: `limits[${index}]`, from: '', message: `is a second ${name}`, remedy }];
  });
}

function unknownVariables(env: Environment): string[] {
  return Object.keys(env)
    .filter((name) => name.startsWith('PURSER_') && !KNOWN_VARIABLES.includes(name))
    .map((name) => {
      const guess = closest(name, KNOWN_VARIABLES);
      return `the variable ${name} means nothing here${guess ? `; did you mean ${guess}?` : ''}`;
    });
}
