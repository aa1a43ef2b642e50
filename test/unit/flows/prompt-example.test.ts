// The example of docs/prompt-budget.md is worked out here, with the real tokenizer.

import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { isRefused } from '#src/core/errors.js';
import type { JsonObject } from '#src/core/json.js';
import { loadEncoder } from '#src/drivers/tokenizer-encoder.js';
import { fitPrompt } from '#src/flows/call/fit.js';
import type { TemplateSlot } from '#src/stores/prompt/templates.js';
import {
  callerWith,
  chatCall,
  fitDeps,
  planWith,
  tokensOf,
} from '../../support/prompt/fit-deps.js';

const page = readFileSync(new URL('../../../docs/prompt-budget.md', import.meta.url), 'utf8');
const encoder = loadEncoder('o200k_base');
afterAll(() => encoder.free());

function example(name: string): unknown {
  const found = new RegExp(`<!-- example: ${name} -->\n\`\`\`json\n([^]*?)\n\`\`\``).exec(page);
  return JSON.parse(found![1]!);
}

describe('the worked example', () => {
  test('is what the page says, to the token', async () => {
    const count = (text: string) => encoder.count(text);
    const slots = example('slots') as TemplateSlot[];
    const template = { id: 't', name: 'review', maxPromptTokens: 66, slots };
    const deps = fitDeps([template], { systemPrompt: 'You review changes. Be brief.' }, count);
    const call = chatCall(example('call') as JsonObject);
    const fitted = await fitPrompt(deps, call, callerWith(), planWith());
    if (fitted === undefined || isRefused(fitted)) throw new Error('not fitted');
    expect(fitted.body.json.messages).toEqual(example('sent'));
    expect(fitted.report).toEqual(example('report'));
    expect(tokensOf(fitted.body.json, count)).toBe(fitted.report.after);
  });
});
