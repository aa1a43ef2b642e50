import { describe, expect, it } from 'vitest';
import type { JsonObject } from '#src/core/json.js';
import { type ChatPieces, WIDE_OVERHEADS } from '#src/rules/tokens/chat-pieces.js';
import { messagesPieces } from '#src/rules/tokens/messages-pieces.js';
import { completionsPieces, embeddingsPieces } from '#src/rules/tokens/prompt-pieces.js';
import { responsesPieces } from '#src/rules/tokens/responses-pieces.js';

const { message, reply, tool, tools: toolsOnce } = WIDE_OVERHEADS;

/** A PNG's header is all that is read of it. */
function png(width: number, height: number): string {
  const header = Buffer.alloc(24);
  header.writeUInt32BE(0x89504e47, 0);
  header.writeUInt32BE(width, 16);
  header.writeUInt32BE(height, 20);
  return header.toString('base64');
}

const ofMessages = (body: JsonObject, hosted = false) =>
  messagesPieces(body, 'claude-sonnet-4-5', WIDE_OVERHEADS, hosted);
const ofResponses = (body: JsonObject, hosted = false) =>
  responsesPieces(body, 'gpt-5', WIDE_OVERHEADS, hosted);
const joined = ({ texts }: ChatPieces) => texts.join('\n');
const user = (...content: JsonObject[]) => ({ messages: [{ role: 'user', content }] });

describe('pieces of messages', () => {
  it('are every text, once, and a frame for each message, tool and schema', () => {
    const pieces = ofMessages({
      system: [{ type: 'text', text: 'SYSTEM' }],
      messages: [
        { role: 'user', content: 'PLAIN' },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'THOUGHT', signature: 'SIGNED' },
            { type: 'tool_use', id: 't1', name: 'NAMED', input: { a: 'GIVEN' } },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 't1', content: [{ type: 'text', text: 'FOUND' }] },
            { type: 'new_kind', of: 'UNKNOWN' },
          ],
        },
      ],
      tools: [{ name: 'NAMED', description: 'TOLD', input_schema: {} }],
      output_config: { format: { type: 'json_schema', schema: { title: 'SCHEMA' } } },
    });
    const words = 'SYSTEM PLAIN THOUGHT SIGNED GIVEN FOUND UNKNOWN TOLD SCHEMA';
    for (const word of words.split(' ')) expect(joined(pieces).split(word)).toHaveLength(2);
    expect(pieces.fixedTokens).toBe(reply + 4 * message + toolsOnce + tool + tool);
    expect(pieces.unbounded).toBe(false);
  });

  it('are tokens of a picture by its own size, and the dearest where it is not known', () => {
    const image = (source: JsonObject) => ofMessages(user({ type: 'image', source }));
    const frame = reply + message;
    const small = image({ type: 'base64', media_type: 'image/png', data: png(750, 100) });
    expect(small.fixedTokens - frame).toBeGreaterThanOrEqual(100);
    expect(small.fixedTokens - frame).toBeLessThan(120);
    expect(small.texts).toEqual([]);
    const linked = image({ type: 'url', url: 'https://x/y.png' });
    expect(linked.fixedTokens - frame).toBe(16_384);
    expect(image({ type: 'file', file_id: 'f1' }).unbounded).toBe(true);
  });

  it('are the text of a document, and unbounded where it is not in the body or not text', () => {
    const of = (source: JsonObject) => ofMessages(user({ type: 'document', source, title: 'T' }));
    const plain = of({ type: 'text', media_type: 'text/plain', data: 'BODY' });
    expect([plain.texts, plain.unbounded]).toEqual([['T', 'BODY'], false]);
    const blocks = of({ type: 'content', content: [{ type: 'text', text: 'BLOCK' }] });
    expect([blocks.texts, blocks.unbounded]).toEqual([['T', 'BLOCK'], false]);
    expect(of({ type: 'base64', media_type: 'application/pdf', data: 'xx' }).unbounded).toBe(true);
    expect(of({ type: 'url', url: 'https://x' }).unbounded).toBe(true);
  });

  it('are unbounded where the provider runs tools or holds a part of the prompt', () => {
    const plain = user({ type: 'text', text: 'hi' });
    expect(ofMessages(plain).unbounded).toBe(false);
    expect(ofMessages(plain, true).unbounded).toBe(true);
    expect(ofMessages({ ...plain, thread: { id: 't' } }).unbounded).toBe(true);
    expect(ofMessages(user({ type: 'container_upload', file_id: 'f' })).unbounded).toBe(true);
  });
});

describe('pieces of responses', () => {
  it('are every text, once, and a frame for each item, tool and schema', () => {
    const pieces = ofResponses({
      instructions: 'SYSTEM',
      input: [
        { role: 'user', content: 'PLAIN' },
        { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'PART' }] },
        { type: 'reasoning', id: 'r', summary: [], encrypted_content: 'SEALED' },
        { type: 'function_call', call_id: 'c', name: 'NAMED', arguments: '{"a":"GIVEN"}' },
        { type: 'function_call_output', call_id: 'c', output: 'FOUND' },
        { type: 'new_kind', of: { deep: 'UNKNOWN' } },
      ],
      tools: [{ type: 'function', name: 'f', description: 'TOLD', parameters: {} }],
      text: { format: { type: 'json_schema', name: 'SCHEMA', schema: {} } },
    });
    const words = 'SYSTEM PLAIN PART SEALED NAMED GIVEN FOUND UNKNOWN TOLD SCHEMA';
    for (const word of words.split(' ')) expect(joined(pieces).split(word)).toHaveLength(2);
    expect(pieces.fixedTokens).toBe(reply + 7 * message + toolsOnce + tool + tool);
    expect(pieces.unbounded).toBe(false);
  });

  it('are tokens of pictures, also of what a tool gave back', () => {
    const image = { type: 'input_image', image_url: `data:image/png;base64,${png(512, 512)}` };
    const asked = ofResponses({ input: [{ role: 'user', content: [image] }] });
    const given = ofResponses({ input: [{ type: 'function_call_output', output: [image] }] });
    // 70 and one tile of 140.
    expect(asked.fixedTokens - reply - message).toBe(210);
    expect(given.fixedTokens).toBe(asked.fixedTokens);
  });

  it.each([
    [{ input: 'hi' }, false],
    [{ input: 'hi', previous_response_id: null }, false],
    [{ input: 'hi', previous_response_id: 'resp_1' }, true],
    [{ input: 'hi', conversation: { id: 'conv_1' } }, true],
    [{ prompt: { id: 'pmpt_1' } }, true],
    [{ input: [{ type: 'item_reference', id: 'x' }] }, true],
    [{ input: [{ role: 'user', content: [{ type: 'input_file', file_id: 'f' }] }] }, true],
    [{ input: [{ role: 'user', content: [{ type: 'input_image', file_id: 'f' }] }] }, true],
  ] as [JsonObject, boolean][])('%j: unbounded %s', (body, unbounded) => {
    expect(ofResponses(body).unbounded).toBe(unbounded);
    expect(ofResponses(body, true).unbounded).toBe(true);
  });
});

describe('pieces of a prompt', () => {
  it('are texts as they are, and tokens by their number', () => {
    const texts = completionsPieces({ prompt: ['a', 'b'], suffix: 'c' });
    expect(texts).toEqual({ texts: ['a', 'b', 'c'], fixedTokens: 4, unbounded: false });
    expect(embeddingsPieces({ input: [1, 2, 3] }).fixedTokens).toBe(5);
    expect(embeddingsPieces({ input: [[1, 2], [3]] }).fixedTokens).toBe(7);
    expect(embeddingsPieces({ input: 'x' }).texts).toEqual(['x']);
  });
});
