// What the client library of messages makes of streams that the gateway ended.

import Anthropic from '@anthropic-ai/sdk';
import { describe, expect, it } from 'vitest';
import { NO_USAGE } from '#src/core/usage.js';
import { problemJson } from '#src/rules/dialects/problem-json.js';
import { answering } from '../../../support/sdk-fetch.js';
import { DIALECTS, drive } from '../../../support/streams.js';
import { ownTranscripts } from '../../../support/transcripts.js';

const { messages } = DIALECTS;
const transcript = ownTranscripts('messages').find(({ name }) => name.includes('cache-tools'))!;
const params = { model: 'm', max_tokens: 9, messages: [] };
const purser = { terminated_by: 'budget' };

function clientOf(bytes: Buffer): Anthropic {
  return new Anthropic({ apiKey: 'x', fetch: answering(bytes), maxRetries: 0 });
}

/** The stream as far as the event that has `text`. */
function until(text: string) {
  const { bytes } = transcript;
  return drive('messages', [bytes.subarray(0, bytes.indexOf('\n\n', bytes.indexOf(text)) + 2)]);
}

describe('the client of messages', () => {
  it('reads a whole stream with the comment in its last block', async () => {
    const { reader, out } = drive('messages', [transcript.bytes]);
    const done = messages.writeDone('purser cost_usd=0.1', reader);
    const message = await clientOf(Buffer.concat([out, done]))
      .messages.stream(params)
      .finalMessage();
    expect(message.stop_reason).toBe('tool_use');
    expect(message.usage.output_tokens).toBe(41);
    expect(message.content).toMatchObject([
      { type: 'thinking', thinking: 'Größe? ' },
      { type: 'tool_use', name: 'size', input: { of: '日本🏔' } },
    ]);
  });

  it.each(['Größe', 'QUJD', 'toolu_1', '日本'])(
    'reads a stream that was cut after %s as one that reached its bound',
    async (text) => {
      const { reader, out } = until(text);
      const usage = { ...NO_USAGE, input: 9, cachedRead: 1000, output: 3 };
      const ending = messages.writeCut(reader, { usage, comment: 'note', purser });
      const message = await clientOf(Buffer.concat([out, ending]))
        .messages.stream(params)
        .finalMessage();
      expect(message.stop_reason).toBe('max_tokens');
      expect(message.usage.output_tokens).toBe(3);
      expect(message.usage.cache_read_input_tokens).toBe(1000);
    },
  );

  it('fails where the stream failed', async () => {
    const { reader, out } = until('Größe');
    const problem = { code: 'upstream_error' as const, message: 'It broke off.' };
    const bytes = Buffer.concat([out, messages.writeFailure(problem, reader)]);
    const stream = clientOf(bytes).messages.stream(params);
    await expect(stream.finalMessage()).rejects.toThrow(/It broke off/);
  });

  it('sees a refusal for want of money once, with its code', async () => {
    let requests = 0;
    const fetch = async () => {
      requests += 1;
      const problem = { code: 'budget_exceeded' as const, message: 'No room.' };
      return new Response(problemJson('messages', problem, 'r1'), {
        status: 402,
        headers: { 'content-type': 'application/json', 'x-should-retry': 'false' },
      });
    };
    const client = new Anthropic({ apiKey: 'x', fetch });
    const error = { status: 402, error: { type: 'error', error: { type: 'billing_error' } } };
    await expect(client.messages.create(params)).rejects.toMatchObject(error);
    expect(requests).toBe(1);
  });
});
