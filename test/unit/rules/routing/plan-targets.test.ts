import { describe, expect, it } from 'vitest';
import { isRefused } from '#src/core/errors.js';
import { knownProvider, PROVIDERS, quirksOf } from '#src/rules/providers/providers.js';
import { planTargets, splitTarget } from '#src/rules/routing/plan-targets.js';

const provider = (name: string, configured: boolean, apiKeyVariable = '') =>
  [name, { name, configured, apiKeyVariable }] as const;
const providers = new Map([
  provider('openai', true, 'OPENAI_API_KEY'),
  provider('local', true),
  provider('groq', false, 'GROQ_API_KEY'),
  provider('bare', false),
]);
const routes = [
  { model: 'fast', targets: ['openai/gpt-4o-mini', 'local/qwen3', 'groq/llama'] },
  { model: 'twice', targets: ['local/a', 'local/a'] },
  { model: 'gpt-*', targets: ['openai/*'] },
  { model: 'gpt-4o-*', targets: ['local/*'] },
  { model: 'mine/*', targets: ['openai/*', 'local/*'] },
  { model: 'dark', targets: ['groq/llama', 'bare/x'] },
];
const plan = (model: string, sick: string[] = []) => {
  const planned = planTargets(model, routes, providers, (id) => !sick.includes(id));
  return isRefused(planned) ? planned.refused.message : planned.map(({ id }) => id);
};

describe('a plan', () => {
  it('has the configured targets in order, the healthy ones first', () => {
    expect(plan('fast')).toEqual(['openai/gpt-4o-mini', 'local/qwen3']);
    expect(plan('fast', ['openai/gpt-4o-mini'])).toEqual(['local/qwen3', 'openai/gpt-4o-mini']);
    expect(plan('fast', ['openai/gpt-4o-mini', 'local/qwen3'])).toHaveLength(2);
    expect(plan('twice')).toEqual(['local/a']);
  });

  it('follows the exact name, then the longest pattern, then provider/model', () => {
    expect(plan('gpt-3.5')).toEqual(['openai/gpt-3.5']);
    expect(plan('gpt-4o-mini')).toEqual(['local/gpt-4o-mini']);
    expect(plan('mine/x/y')).toEqual(['openai/x/y', 'local/x/y']);
    expect(plan('local/org/model')).toEqual(['local/org/model']);
  });

  it('refuses in words that name what to do', () => {
    expect(plan('dark')).toBe(
      '"dark" has no provider that can be called: set GROQ_API_KEY or configure the provider "bare".',
    );
    expect(plan('groq/x')).toContain('set GROQ_API_KEY');
    expect(plan('fats')).toContain('Did you mean "fast"?');
    expect(plan('nobody/x')).toBe('No provider is called "nobody" (configured: openai, local).');
    expect(plan('zzzzzzzz')).toContain('`provider/model`');
    expect(plan('__proto__')).toContain('There is no model');
  });
});

describe('provider data', () => {
  it('splits a target at its first slash', () => {
    expect(splitTarget('a/b/c')).toEqual({ id: 'a/b/c', provider: 'a', model: 'b/c' });
    for (const odd of ['a', '/a', 'a/', '']) expect(splitTarget(odd)).toBeUndefined();
  });

  it('bounds output in the member that each provider takes', () => {
    expect(quirksOf('openai').outputBoundMember).toBe('max_completion_tokens');
    expect(quirksOf('azure').outputBoundMember).toBe('max_completion_tokens');
    for (const name of ['mistral', 'vllm', 'somebody', 'constructor', '__proto__']) {
      expect(quirksOf(name).outputBoundMember).toBe('max_tokens');
    }
    expect(quirksOf('mistral').asksUsage).toBe(false);
    expect(quirksOf('xai').reasoningOutsideOutput).toBe(true);
    expect(knownProvider('toString')).toBeUndefined();
  });

  it('has addresses without a trailing slash, by https unless local', () => {
    for (const { baseUrl, allowPrivate } of Object.values(PROVIDERS)) {
      if (baseUrl) expect(baseUrl).toMatch(allowPrivate ? /^http:.*[^/]$/ : /^https:.*[^/]$/);
    }
  });
});
