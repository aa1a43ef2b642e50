// From a public model name to the targets of a call: the plan of the configuration, each target
// with its provider and its price, healthy ones first.

import type { Config, ProviderConfig } from './config.js';
import type { Plan, Provider, Target } from './core/call.js';
import type { Clock } from './core/clock.js';
import { isRefused } from './core/errors.js';
import type { CallDeps } from './flows/call/deps.js';
import type { Catalog } from './rules/catalog/catalog.js';
import { credentialHeaders, quirksOf } from './rules/providers/providers.js';
import { planTargets, type TargetName } from './rules/routing/plan-targets.js';
import { openTargetHealth } from './stores/target-health.js';

const PROBE_MS = 30_000;
const OPEN_TIMES_MAX = 8;

/** `sandbox` is told where the sandbox listens; undefined where it is off. */
export function providersOf(config: Config, sandbox: string | undefined): ProviderConfig[] {
  if (sandbox === undefined) return [...config.providers];
  const row: ProviderConfig = {
    name: 'sandbox',
    dialect: 'openai',
    baseUrl: sandbox,
    apiKey: '',
    apiKeyVariable: '',
    configured: true,
    allowPrivate: true,
    headers: {},
    like: 'sandbox',
  };
  return [...config.providers.filter((provider) => provider.name !== 'sandbox'), row];
}

export function composeTargets(
  config: Config,
  configs: readonly ProviderConfig[],
  catalog: Catalog,
  clock: Clock,
): Pick<CallDeps, 'plan' | 'health'> & { providers: ReadonlyMap<string, Provider> } {
  const routed = new Map(configs.map((provider) => [provider.name, provider]));
  const providers = new Map(configs.map((provider) => [provider.name, providerOf(provider)]));
  const { failures, openMs } = config.breaker;
  const openMaxMs = openMs * OPEN_TIMES_MAX;
  const options = { failures, openMs, openMaxMs, probeMs: PROBE_MS };
  const health = openTargetHealth(() => clock.nowMs(), options);
  const plans = new PlansOfNow();
  return {
    health,
    providers,
    plan(publicModel) {
      const nowMs = clock.nowMs();
      const known = health.allWell() ? plans.get(publicModel, nowMs) : undefined;
      if (known) return known;
      const named = planTargets(publicModel, config.routes, routed, health.isHealthy);
      if (isRefused(named)) return named;
      const targets: Target[] = [];
      for (const name of named) {
        const provider = providers.get(name.provider);
        if (provider) targets.push(targetOf(name, provider, catalog, nowMs));
      }
      const plan: Plan = { publicModel, targets };
      if (health.allWell()) plans.set(publicModel, plan, nowMs);
      return plan;
    },
  };
}

const PLANS_MAX = 1_000;

/** Plans of this second: prices begin at a whole one, and else nothing moves while all is well. */
class PlansOfNow {
  readonly #plans = new Map<string, Plan>();
  #second = 0;

  get(publicModel: string, nowMs: number): Plan | undefined {
    return Math.floor(nowMs / 1000) === this.#second ? this.#plans.get(publicModel) : undefined;
  }

  set(publicModel: string, plan: Plan, nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#second || this.#plans.size >= PLANS_MAX) this.#plans.clear();
    this.#second = second;
    this.#plans.set(publicModel, plan);
  }
}

function targetOf(name: TargetName, provider: Provider, catalog: Catalog, nowMs: number): Target {
  const price = catalog.find(provider.name, name.model, nowMs);
  return { id: name.id, provider, model: name.model, price };
}

function providerOf(config: ProviderConfig): Provider {
  const { name, dialect, baseUrl, allowPrivate } = config;
  const headers = { ...credentialHeaders(config, config.apiKey), ...config.headers };
  return { name, dialect, baseUrl, allowPrivate, headers, quirks: quirksOf(config.like) };
}
