// A public model name becomes the targets that may serve it, in the order of the configuration,
// healthy ones first. What cannot be served is refused in words that name what to do.

import { closest } from '../../core/closest.js';
import { isRefused, type Refused, refuse } from '../../core/errors.js';

/** A public name, or a pattern with one trailing `*`, and its targets as `provider/model`. */
export interface Route {
  model: string;
  targets: readonly string[];
}

export interface RoutedProvider {
  name: string;
  /** May be called: has a key, or needs none. */
  configured: boolean;
  /** The environment variable that would set its key. */
  apiKeyVariable: string;
}

export interface TargetName {
  id: string;
  provider: string;
  /** The provider's own name of the model. */
  model: string;
}

/** `provider/model` split at the first slash; undefined where either part is empty. */
export function splitTarget(id: string): TargetName | undefined {
  const slash = id.indexOf('/');
  if (slash <= 0 || slash === id.length - 1) return undefined;
  return { id, provider: id.slice(0, slash), model: id.slice(slash + 1) };
}

export function planTargets(
  publicModel: string,
  routes: readonly Route[],
  providers: ReadonlyMap<string, RoutedProvider>,
  isHealthy: (targetId: string) => boolean,
): readonly TargetName[] | Refused {
  const named = namedTargets(publicModel, routes, providers);
  if (isRefused(named)) return named;
  const usable = named.filter(({ provider }) => providers.get(provider)?.configured);
  if (usable.length === 0) return refuseUnconfigured(publicModel, named, providers);
  const healthy = usable.filter(({ id }) => isHealthy(id));
  return [...healthy, ...usable.filter((target) => !healthy.includes(target))];
}

function namedTargets(
  publicModel: string,
  routes: readonly Route[],
  providers: ReadonlyMap<string, RoutedProvider>,
): TargetName[] | Refused {
  const route = routeOf(publicModel, routes);
  if (route) {
    const ids = new Set(route.targets.map((id) => fill(id, route.model, publicModel)));
    return [...ids].map(splitTarget).filter((target) => target !== undefined);
  }
  const direct = splitTarget(publicModel);
  if (direct && providers.has(direct.provider)) return [direct];
  return refuseUnknown(publicModel, direct, routes, providers);
}

// The exact name wins, then the longest pattern.
function routeOf(publicModel: string, routes: readonly Route[]): Route | undefined {
  let best: Route | undefined;
  for (const route of routes) {
    if (route.model === publicModel) return route;
    if (!route.model.endsWith('*') || !publicModel.startsWith(route.model.slice(0, -1))) continue;
    if (!best || route.model.length > best.model.length) best = route;
  }
  return best;
}

// `gpt-*: openai/*` sends gpt-4o to openai/gpt-4o: the star is the whole public name. Only after a
// slash is what stands before the star no part of the model's name: `fast/*: openai/*`.
function fill(target: string, pattern: string, publicModel: string): string {
  if (!target.endsWith('*') || !pattern.endsWith('*')) return target;
  const before = pattern.slice(0, -1);
  const rest = before.endsWith('/') ? publicModel.slice(before.length) : publicModel;
  return target.slice(0, -1) + rest;
}

function refuseUnknown(
  publicModel: string,
  direct: TargetName | undefined,
  routes: readonly Route[],
  providers: ReadonlyMap<string, RoutedProvider>,
): Refused {
  const shown = JSON.stringify(publicModel);
  const near = closest(
    publicModel,
    routes.map((route) => route.model),
  );
  const meant = near ? ` Did you mean "${near}"?` : '';
  const callable = [...providers.values()].filter((provider) => provider.configured);
  const names = callable.map((provider) => provider.name).join(', ') || 'none';
  if (direct) {
    return notFound(`No provider is called "${direct.provider}" (configured: ${names}).${meant}`);
  }
  return notFound(
    `There is no model ${shown}.${meant} Ask for \`provider/model\` (configured providers: ` +
      `${names}), or name it under \`models:\` in the configuration.`,
  );
}

function refuseUnconfigured(
  publicModel: string,
  named: readonly TargetName[],
  providers: ReadonlyMap<string, RoutedProvider>,
): Refused {
  const remedies = new Set<string>();
  for (const { provider } of named) {
    const variable = providers.get(provider)?.apiKeyVariable;
    remedies.add(variable ? `set ${variable}` : `configure the provider "${provider}"`);
  }
  const remedy = [...remedies].join(' or ') || 'name a target for it under `models:`';
  return notFound(`${JSON.stringify(publicModel)} has no provider that can be called: ${remedy}.`);
}

function notFound(message: string): Refused {
  return refuse('model_not_found', message, { param: 'model' });
}
