// What no single key can tell: whether the parts of a configuration agree with each other. Runs
// over the sections that are well formed, so that one bad section does not hide another's faults.

import { isIPv4, isIPv6 } from 'node:net';
import type { Path } from './config-problems.js';
import type { ConfigFile } from './config-schema.js';
import { closest } from './core/closest.js';

export interface Disagreement {
  path: Path;
  message: string;
  remedy: string;
}

export function disagreements(file: Partial<ConfigFile>): Disagreement[] {
  return [
    ...providerFaults(file),
    ...targetFaults(file),
    ...limitFaults(file),
    ...processFaults(file),
    ...duplicates(file, 'projects', (project) => project.name),
    ...duplicates(file, 'agents', (agent) => `${agent.project ?? ''}/${agent.name}`),
  ];
}

function* providerFaults({ providers }: Partial<ConfigFile>): Generator<Disagreement> {
  for (const [name, provider] of Object.entries(providers ?? {})) {
    if (typeof provider === 'boolean') continue;
    const path = ['providers', name];
    if (!/^[a-z0-9][a-z0-9_-]*$/.test(name)) {
      const remedy = 'Use lower-case letters, digits, - and _';
      yield { path, message: 'is no name for a provider', remedy };
    }
    const url = new URL(provider.base_url);
    if (url.username || url.password || url.search || url.hash) {
      const message = 'has more than scheme, host, port and path';
      yield { path: [...path, 'base_url'], message, remedy: 'Put credentials into api_key' };
    }
    if (provider.allow_private) continue;
    if (isPrivateHost(url.hostname)) {
      const message = `is in a private network (${url.hostname})`;
      const remedy = `Add \`allow_private: true\` to ${name} if that is meant`;
      yield { path: [...path, 'base_url'], message, remedy };
    } else if (url.protocol === 'http:') {
      const message = 'would send the key in the clear';
      yield { path: [...path, 'base_url'], message, remedy: 'Use https' };
    }
  }
}

function isPrivateHost(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (isIPv4(host)) {
    return /^(0|10|127|192\.168|169\.254|172\.(1[6-9]|2\d|3[01]))\./.test(host);
  }
  if (isIPv6(host)) return /^(::|f[cd]|fe[89ab])/.test(host);
  return host === 'localhost' || host.endsWith('.localhost');
}

function* targetFaults({
  providers,
  models,
  prices,
}: Partial<ConfigFile>): Generator<Disagreement> {
  if (providers === undefined) return;
  const names = Object.keys(providers);
  const fault = (path: Path, target: string): Disagreement | undefined => {
    const provider = target.slice(0, target.indexOf('/'));
    if (names.includes(provider)) return undefined;
    const guess = closest(provider, names);
    const remedy = guess ? `Did you mean \`${guess}\`?` : `Providers here: ${names.join(', ')}`;
    return { path, message: `names the unknown provider ${provider}`, remedy };
  };
  for (const [model, given] of Object.entries(models ?? {})) {
    for (const [index, target] of [given].flat().entries()) {
      const path = ['models', model, ...(Array.isArray(given) ? [index] : [])];
      const found = fault(path, target);
      if (found) yield found;
      if (target.slice(0, -1).includes('*') || (target.endsWith('*') && !model.endsWith('*'))) {
        const message = `has a * in ${target} that nothing fills`;
        yield { path, message, remedy: 'Write "gpt-*": [openai/*], with one * at the end of both' };
      }
    }
  }
  for (const name of Object.keys(prices ?? {})) {
    const found = fault(['prices', name], name);
    if (found) yield found;
  }
}

function* limitFaults({ limits, budgets, agents }: Partial<ConfigFile>): Generator<Disagreement> {
  if (limits !== undefined && budgets !== undefined) {
    const message = 'is given beside `limits`, which means the same';
    yield { path: ['budgets'], message, remedy: 'Move its rows to `limits`' };
  }
  const section = limits === undefined ? 'budgets' : 'limits';
  for (const [index, limit] of (limits ?? budgets ?? []).entries()) {
    if (limit.agent === undefined || limit.project !== undefined) continue;
    const named = (agents ?? []).filter((agent) => agent.name === limit.agent);
    if (named.length < 2) continue;
    const projects = named.map((agent) => agent.project ?? 'none').join(', ');
    const message = `means one of several agents ${limit.agent} (projects ${projects})`;
    yield { path: [section, index, 'agent'], message, remedy: 'Add `project:` to the limit' };
  }
}

function* processFaults(file: Partial<ConfigFile>): Generator<Disagreement> {
  if ((file.workers ?? 1) > 1 && !(file.redis_url && file.database_url)) {
    const message = `is ${file.workers}, and several processes need a shared ledger and database`;
    yield { path: ['workers'], message, remedy: 'Set REDIS_URL and DATABASE_URL, or 1 worker' };
  }
  const { lease_ms: lease, beat_ms: beat } = file.ledger ?? { lease_ms: 4, beat_ms: 1 };
  if (beat * 3 > lease) {
    const message = 'is over a third of lease_ms, so that one late beat would end running calls';
    yield {
      path: ['ledger', 'beat_ms'],
      message,
      remedy: `Write at most ${Math.floor(lease / 3)}`,
    };
  }
  const { listen, operator_listen: operator } = file;
  if (operator && listen && operator.port !== 0 && operator.port === listen.port) {
    const message = `is ${operator.port}, which listen.port has already`;
    yield { path: ['operator_listen', 'port'], message, remedy: 'Choose another port' };
  }
}

function* duplicates<K extends 'projects' | 'agents'>(
  file: Partial<ConfigFile>,
  section: K,
  nameOf: (row: ConfigFile[K][number]) => string,
): Generator<Disagreement> {
  const seen = new Set<string>();
  const rows: readonly ConfigFile[K][number][] = file[section] ?? [];
  for (const [index, row] of rows.entries()) {
    const name = nameOf(row);
    if (seen.has(name)) {
      yield { path: [section, index], message: `is a second ${name}`, remedy: 'Keep one of them' };
    }
    seen.add(name);
  }
}
