// The providers known by name, as data: where they are, which variable holds their key, and in what
// they differ from others of their dialect. Any other name is a provider of its dialect's own kind.

import type { ProviderQuirks } from '../../core/call.js';

export interface KnownProvider {
  dialect: 'openai' | 'anthropic';
  /** Without a trailing slash; null where every account has its own. */
  baseUrl: string | null;
  /** The environment variable of its key; null where it needs none. */
  keyVariable: string | null;
  /** How the key is sent. */
  credential: 'bearer' | 'api-key' | 'x-api-key';
  /** Runs on the operator's own machine, so that private addresses may be dialled. */
  allowPrivate: boolean;
  quirks: ProviderQuirks;
}

const USUAL: ProviderQuirks = {
  outputBoundMember: 'max_tokens',
  asksUsage: true,
  reasoningOutsideOutput: false,
};

// OpenAI's reasoning models refuse `max_tokens`; all of its models take the newer name.
const OPENAI: ProviderQuirks = {
  ...USUAL,
  outputBoundMember: 'max_completion_tokens',
  keeps: 'completions',
};

const OPENROUTER: ProviderQuirks = { ...USUAL, keeps: 'generations' };

// Usage comes without being asked for, and Mistral refuses members that it does not know.
const UNASKED: ProviderQuirks = { ...USUAL, asksUsage: false };

const REASONING_OUTSIDE: ProviderQuirks = { ...USUAL, reasoningOutsideOutput: true };

function hosted(baseUrl: string, keyVariable: string, quirks = USUAL): KnownProvider {
  const credential = 'bearer';
  return { dialect: 'openai', baseUrl, keyVariable, credential, allowPrivate: false, quirks };
}

function local(baseUrl: string | null): KnownProvider {
  const credential = 'bearer';
  const quirks = USUAL;
  return { dialect: 'openai', baseUrl, keyVariable: null, credential, allowPrivate: true, quirks };
}

export const PROVIDERS: Readonly<Record<string, KnownProvider>> = {
  openai: hosted('https://api.openai.com/v1', 'OPENAI_API_KEY', OPENAI),
  azure: {
    dialect: 'openai',
    baseUrl: null,
    keyVariable: 'AZURE_OPENAI_API_KEY',
    credential: 'api-key',
    allowPrivate: false,
    quirks: OPENAI,
  },
  anthropic: {
    dialect: 'anthropic',
    baseUrl: 'https://api.anthropic.com',
    keyVariable: 'ANTHROPIC_API_KEY',
    credential: 'x-api-key',
    allowPrivate: false,
    quirks: USUAL,
  },
  openrouter: hosted('https://openrouter.ai/api/v1', 'OPENROUTER_API_KEY', OPENROUTER),
  groq: hosted('https://api.groq.com/openai/v1', 'GROQ_API_KEY'),
  mistral: hosted('https://api.mistral.ai/v1', 'MISTRAL_API_KEY', UNASKED),
  deepseek: hosted('https://api.deepseek.com/v1', 'DEEPSEEK_API_KEY'),
  xai: hosted('https://api.x.ai/v1', 'XAI_API_KEY', REASONING_OUTSIDE),
  perplexity: hosted('https://api.perplexity.ai', 'PERPLEXITY_API_KEY', UNASKED),
  alibaba: hosted('https://dashscope-intl.aliyuncs.com/compatible-mode/v1', 'DASHSCOPE_API_KEY'),
  google: hosted(
    'https://generativelanguage.googleapis.com/v1beta/openai',
    'GEMINI_API_KEY',
    REASONING_OUTSIDE,
  ),
  together: hosted('https://api.together.xyz/v1', 'TOGETHER_API_KEY'),
  fireworks: hosted('https://api.fireworks.ai/inference/v1', 'FIREWORKS_API_KEY'),
  cerebras: hosted('https://api.cerebras.ai/v1', 'CEREBRAS_API_KEY'),
  moonshot: hosted('https://api.moonshot.ai/v1', 'MOONSHOT_API_KEY'),
  ollama: local('http://127.0.0.1:11434/v1'),
  vllm: local('http://127.0.0.1:8000/v1'),
  lmstudio: local('http://127.0.0.1:1234/v1'),
  // Listens on a port of its own choice, which compose fills in.
  sandbox: local(null),
};

/** What is built in for a name, or undefined. Names are looked up exactly. */
export function knownProvider(name: string): KnownProvider | undefined {
  return Object.hasOwn(PROVIDERS, name) ? PROVIDERS[name] : undefined;
}

export function quirksOf(name: string): ProviderQuirks {
  return knownProvider(name)?.quirks ?? USUAL;
}

/** The headers that carry a key to a provider; none where it has none. */
export function credentialHeaders(
  provider: { dialect: 'openai' | 'anthropic'; like: string },
  apiKey: string,
): Record<string, string> {
  if (apiKey === '') return {};
  const own = knownProvider(provider.like)?.credential;
  const how = own ?? (provider.dialect === 'anthropic' ? 'x-api-key' : 'bearer');
  return how === 'bearer' ? { authorization: `Bearer ${apiKey}` } : { [how]: apiKey };
}
