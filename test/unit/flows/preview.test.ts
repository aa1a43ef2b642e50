import { describe, expect, test } from 'vitest';
import type { AgentRow, DirectorySnapshot } from '#src/core/directory.js';
import type { JsonObject } from '#src/core/json.js';
import { type PreviewDeps, previewPrompt } from '#src/flows/call/preview.js';
import { fitDeps, planWith } from '../../support/prompt/fit-deps.js';

function deps(modelConfig: JsonObject): PreviewDeps {
  const agent = { id: 'a1', projectId: 'p1', modelConfig } as AgentRow;
  const snapshot = { agents: new Map([['a1', agent]]) } as unknown as DirectorySnapshot;
  return { fit: fitDeps(), plan: () => planWith(), snapshot: () => snapshot };
}

describe('a preview', () => {
  test('is the prompt as it would be sent, under the policy of the agent', async () => {
    const config = { model: 'fast', prompt_policy: { max_prompt_tokens: 30 } };
    const messages = [
      { role: 'user', content: 'old '.repeat(20) },
      { role: 'user', content: 'new' },
    ];
    const shown = await previewPrompt(deps(config), 'a1', { messages });
    expect(shown).toMatchObject({ model: 'fast', messages: [messages[1]], template_id: null });
    expect(shown).toMatchObject({ report: { trims: [{ key: 'history' }] } });
  });

  test('is refused as the call would be', async () => {
    expect(await previewPrompt(deps({}), 'a2', {})).toMatchObject({
      refused: { code: 'not_found' },
    });
    expect(await previewPrompt(deps({}), 'a1', {})).toMatchObject({
      refused: { param: 'model' },
    });
    const purser = { template: 'none' };
    expect(await previewPrompt(deps({}), 'a1', { model: 'm', purser })).toMatchObject({
      refused: { param: 'purser.template' },
    });
  });
});
