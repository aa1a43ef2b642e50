import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '#src/core/json.js';
import { readChatAnswer } from '#src/rules/dialects/chat-answer.js';
import { writeChatFailure, writeDone } from '#src/rules/dialects/chat-endings.js';
import { problemJson } from '#src/rules/dialects/problem-json.js';
import { quirksOf } from '#src/rules/providers/providers.js';

const root = join(import.meta.dirname, '..', '..', '..', '..');
const recordings = process.env.RECORDINGS_DIR ?? join(root, '..', 'shared', 'recordings');

describe('endings', () => {
  it('put the comment into the terminator’s own block, on one line', () => {
    expect(writeDone('purser cost_usd=0.1').toString()).toBe(
      ': purser cost_usd=0.1\ndata: [DONE]\n\n',
    );
    expect(writeDone('a\r\ndata: x').toString()).toBe(': a data: x\ndata: [DONE]\n\n');
  });

  it('tell a failure as one event', () => {
    const text = writeChatFailure({ code: 'upstream_error', message: 'it\nbroke' }).toString();
    expect(text).toMatch(/^data: [^\n]*\n\n$/);
    expect(JSON.parse(text.slice(6))).toEqual({
      error: { message: 'it\nbroke', type: 'server_error', param: null, code: 'upstream_error' },
    });
  });

  it('wrap a problem in the envelope of the client’s wire format', () => {
    const problem = {
      code: 'budget_exceeded' as const,
      message: 'No room.',
      param: 'model',
      metadata: { scope: 'global' },
    };
    const told = { message: 'No room.', param: 'model', code: 'budget_exceeded' };
    const metadata = { scope: 'global' };
    expect(JSON.parse(problemJson('chat', problem, 'r1'))).toEqual({
      error: { ...told, type: 'insufficient_quota', metadata },
      request_id: 'r1',
    });
    expect(JSON.parse(problemJson('messages', problem, 'r1'))).toEqual({
      type: 'error',
      error: { ...told, type: 'billing_error', metadata },
      request_id: 'r1',
    });
  });
});

describe('a whole answer', () => {
  it('tells text of every kind, usage, model and ending', () => {
    const message = {
      role: 'assistant',
      content: 'a',
      reasoning_content: 'b',
      refusal: null,
      tool_calls: [{ function: { name: 'c', arguments: '{}' } }],
    };
    const answer = {
      model: 'm',
      choices: [{ message, finish_reason: 'tool_calls' }],
      usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
    };
    expect(readChatAnswer(answer, quirksOf('openai'))).toMatchObject({
      text: 'abc{}',
      finishReason: 'tool_calls',
      model: 'm',
      usage: { input: 1, output: 2, requests: 1 },
    });
    const empty = { anomalies: [], finishReason: null, text: '' };
    expect(readChatAnswer({ choices: 7 } as JsonObject, quirksOf('openai'))).toEqual(empty);
  });

  it.skipIf(!existsSync(recordings))('of every recording has the manifest’s usage', () => {
    const manifest = JSON.parse(readFileSync(join(recordings, 'manifest.json'), 'utf8')) as Record<
      string,
      { model: string; usage: Record<string, number> }
    >;
    const names = Object.keys(manifest).filter((name) => name.startsWith('json/chat-'));
    expect(names.length).toBeGreaterThan(5);
    for (const name of names) {
      const json = JSON.parse(readFileSync(join(recordings, name), 'utf8')) as JsonObject;
      const provider = name.slice('json/chat-'.length).split('-')[0]!;
      const { usage, model, text } = readChatAnswer(json, quirksOf(provider));
      const told = manifest[name]!;
      expect(model).toBe(told.model);
      expect(text.length).toBeGreaterThan(0);
      expect((usage?.input ?? 0) + (usage?.cachedRead ?? 0)).toBe(told.usage.prompt_tokens);
    }
  });
});
