// The home of a gateway on trial: a provider whose models have a public tokenizer, and limits of
// every unit and several periods that are never reached.

import type { HomeOptions } from '../support/gateway-process.js';
import type { ScriptedUpstream } from '../support/scripted-upstream.js';
import { type Kind, PRICE } from './calls.js';

export function homeOptions(
  upstream: ScriptedUpstream,
  kinds: readonly Kind[],
  image?: Uint8Array,
): HomeOptions {
  const provider = { dialect: 'openai', base_url: `${upstream.url}/v1`, allow_private: true };
  const config = {
    providers: { sandbox: false, openai: { ...provider, api_key: 'none' } },
    prices: Object.fromEntries(kinds.map(({ model }) => [`openai/${model}`, PRICE])),
    projects: [{ name: 'demo' }],
    agents: [{ name: 'coder-1', type: 'coder', project: 'demo' }],
    limits: [
      { scope: 'global', amount_usd: 100_000, period: 'monthly' },
      { scope: 'agent', agent: 'coder-1', amount_tokens: 1e12, period: 'daily' },
      { scope: 'agent', agent: 'coder-1', amount_requests: 1e9, period: 'minutely' },
      { scope: 'project', project: 'demo', amount_concurrency: 1e6, period: 'ever' },
    ],
  };
  return { config, ...(image && { image }) };
}
