// The models that `GET /v1/models` lists: public names of the configuration, and the priced models
// of every provider that may be called.

import type { Config, ProviderConfig } from './config.js';
import type { ModelCard } from './edges/http/caller-doors.js';
import type { Catalog } from './rules/catalog/catalog.js';

export function listedModels(
  config: Config,
  providers: readonly ProviderConfig[],
  catalog: Catalog,
): ModelCard[] {
  const cards = new Map<string, ModelCard>();
  for (const { model } of config.routes) {
    if (!model.endsWith('*')) cards.set(model, { id: model, ownedBy: 'purser' });
  }
  const callable = new Set(providers.filter((one) => one.configured).map((one) => one.name));
  for (const { price } of catalog.list()) {
    if (!callable.has(price.provider)) continue;
    const id = `${price.provider}/${price.model}`;
    cards.set(id, { id, ownedBy: price.provider });
  }
  return [...cards.values()];
}
