import { describe, expect, test } from 'vitest';
import { chatPieces, PUBLISHED_OVERHEADS, WIDE_OVERHEADS } from '#src/rules/tokens/chat-pieces.js';
import { encodingOf, tokensBound } from '#src/rules/tokens/encoding.js';
import { inlineImageSize } from '#src/rules/tokens/image-size.js';
import { imageTokens } from '#src/rules/tokens/image-tokens.js';
import { RUN_BYTES_MAX, SLICE_UNITS, slices } from '#src/rules/tokens/slices.js';

const pieces = (body: Parameters<typeof chatPieces>[0], model = 'gpt-4o') =>
  chatPieces(body, model, PUBLISHED_OVERHEADS);

describe('encodings', () => {
  test.each([
    ['openai', 'gpt-4o-mini-2024-07-18', 'o200k_base'],
    ['openai', 'gpt-4.1-nano', 'o200k_base'],
    ['openai', 'gpt-5', 'o200k_base'],
    ['openai', 'o3-mini', 'o200k_base'],
    ['openrouter', 'openai/gpt-4o', 'o200k_base'],
    ['openai', 'ft:gpt-4o-mini-2024-07-18:acme::1', 'o200k_base'],
    ['azure', 'gpt-35-turbo', 'cl100k_base'],
    ['openai', 'gpt-4', 'cl100k_base'],
    ['openai', 'gpt-4-turbo', 'cl100k_base'],
    ['openai', 'text-embedding-3-small', 'cl100k_base'],
    ['sandbox', 'echo', 'o200k_base'],
    ['xai', 'grok-3-mini', undefined],
    ['groq', 'openai/gpt-oss-120b', undefined],
    ['anthropic', 'claude-sonnet-4-5', undefined],
    ['local', 'olmo', undefined],
    ['openai', 'gpt-6-astra', undefined],
  ])('%s/%s is counted in %s', (provider, model, encoding) => {
    expect(encodingOf(provider, model)).toBe(encoding);
  });

  test('without an encoding a text is bounded by its UTF-8 bytes', () => {
    expect(tokensBound('aé中😀')).toBe(1 + 2 + 3 + 4);
  });
});

describe('chat pieces', () => {
  test('three a message, one a name, three for the reply', () => {
    const messages = [
      { role: 'system', content: 'Be kind.' },
      { role: 'user', name: 'ann', content: 'Hi' },
    ];
    expect(pieces({ messages })).toEqual({
      texts: ['system', 'Be kind.', 'user', 'ann', 'Hi'],
      fixedTokens: 3 + 3 + 3 + 1,
      unbounded: false,
    });
  });

  test('tools, schemas and calls are counted as minified JSON, twelve a tool', () => {
    const tool = { type: 'function', function: { name: 'f', parameters: {} } };
    const format = { type: 'json_schema', json_schema: { name: 's' } };
    const call = { id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } };
    const messages = [
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c1', content: 'done' },
    ];
    const read = pieces({ messages, tools: [tool, tool], response_format: format });
    expect(read.texts).toEqual([
      'assistant',
      JSON.stringify(call),
      'tool',
      'c1',
      'done',
      JSON.stringify(tool),
      JSON.stringify(tool),
      JSON.stringify(format),
    ]);
    expect(read.fixedTokens).toBe(3 + 3 + 3 + 3 + 12 + 12 + 12);
  });

  test('every text of a body ends up in a piece, whatever member it stands in', () => {
    const messages = [
      {
        role: 'user',
        content: [{ type: 'text', text: 'AAA' }, { type: 'odd', payload: 'BBB' }, 'CCC'],
      },
      {
        role: 'assistant',
        content: [{ type: 'refusal', refusal: 'DDD' }],
        reasoning_content: 'EEE',
      },
      {
        role: 'assistant',
        function_call: { name: 'FFF', arguments: '{}' },
        extra: [{ deep: 'GGG' }],
      },
      'HHH',
      { role: 'user', content: { text: 'III' } },
    ];
    const functions = [{ name: 'JJJ' }];
    const prediction = { type: 'content', content: [{ type: 'text', text: 'KKK' }] };
    const text = pieces({ messages, functions, prediction }).texts.join('\n');
    const seen = text.match(/([A-Z])\1\1/g);
    expect(seen?.sort().join('')).toBe('AAABBBCCCDDDEEEFFFGGGHHHIIIJJJKKK');
  });

  test('a file that only has an id is unbounded, an image is not', () => {
    const part = (content: object) =>
      pieces({ messages: [{ role: 'user', content: [JSON.parse(JSON.stringify(content))] }] });
    expect(part({ type: 'file', file: { file_id: 'f' } }).unbounded).toBe(true);
    const image = part({ type: 'image_url', image_url: { url: 'https://x/y.png' } });
    expect(image.unbounded).toBe(false);
    expect(image.fixedTokens).toBe(3 + 3 + 85 + 8 * 170);
    expect(image.texts).toEqual(['user']);
  });

  test('sound is bounded by its bytes', () => {
    const sound = { type: 'input_audio', input_audio: { data: 'A'.repeat(4_000), format: 'mp3' } };
    const read = pieces({ messages: [{ role: 'user', content: [sound] }] });
    expect(read.fixedTokens).toBe(3 + 3 + 120);
  });

  test('a body without messages is still framed, and providers that publish nothing wider', () => {
    expect(pieces({}).fixedTokens).toBe(3);
    expect(chatPieces({ tools: [{}] }, 'm', WIDE_OVERHEADS).fixedTokens).toBe(64 + 512 + 32);
  });
});

const PNG = (width: number, height: number) => {
  const bytes = Buffer.alloc(33);
  bytes.write('\x89PNG\r\n\x1a\n', 'latin1');
  bytes.writeUInt32BE(width, 16);
  bytes.writeUInt32BE(height, 20);
  return bytes;
};

describe('images', () => {
  const uri = (bytes: Buffer, kind = 'png') =>
    `data:image/${kind};base64,${bytes.toString('base64')}`;

  test('a size is read from each format of header', () => {
    expect(inlineImageSize(uri(PNG(1024, 768)))).toEqual({ width: 1024, height: 768 });
    const gif = Buffer.from('GIF89a\x20\x03\x58\x02\0\0', 'latin1');
    expect(inlineImageSize(uri(gif, 'gif'))).toEqual({ width: 800, height: 600 });
    const preview = Buffer.concat([Buffer.from([0xff, 0xe1, 0x10, 0x02]), Buffer.alloc(0x1000)]);
    const frame = Buffer.from([0xff, 0xc2, 0, 17, 8, 0x02, 0x58, 0x03, 0x20, 3, 0, 0]);
    const jpeg = Buffer.concat([Buffer.from([0xff, 0xd8]), preview, frame]);
    expect(inlineImageSize(uri(jpeg, 'jpeg'))).toEqual({ width: 800, height: 600 });
    const webp = (kind: string, fill: (bytes: Buffer) => void) => {
      const bytes = Buffer.alloc(32);
      bytes.write('RIFF', 0, 'latin1');
      bytes.write(`WEBP${kind}`, 8, 'latin1');
      fill(bytes);
      return inlineImageSize(uri(bytes, 'webp'));
    };
    const lossy = webp('VP8 ', (bytes) => {
      bytes.writeUInt16LE(800, 26);
      bytes.writeUInt16LE(600, 28);
    });
    const lossless = webp('VP8L', (bytes) => bytes.writeUInt32LE(799 | (599 << 14), 21));
    const extended = webp('VP8X', (bytes) => {
      bytes.writeUIntLE(799, 24, 3);
      bytes.writeUIntLE(599, 27, 3);
    });
    for (const size of [lossy, lossless, extended])
      expect(size).toEqual({ width: 800, height: 600 });
  });

  test('what is no image of ours has no size, and nothing throws', () => {
    const cut = uri(PNG(10, 10)).slice(0, 40);
    for (const odd of ['', 'https://x/y.png', 'data:image/png;base64,', cut, uri(PNG(0, 5))]) {
      expect(inlineImageSize(odd)).toBeUndefined();
    }
    const endless = Buffer.concat([Buffer.from([0xff, 0xd8]), Buffer.alloc(5_000, 0xff)]);
    expect(inlineImageSize(uri(endless, 'jpeg'))).toBeUndefined();
  });

  test('OpenAI tiles as published: 1024 x 1024 is 765, 2048 x 4096 is 1105, low is 85', () => {
    expect(imageTokens('gpt-4o', { width: 1024, height: 1024 }, 'high')).toBe(765);
    expect(imageTokens('gpt-4o', { width: 2048, height: 4096 }, undefined)).toBe(1105);
    expect(imageTokens('gpt-4o', { width: 4096, height: 8192 }, 'low')).toBe(85);
    expect(imageTokens('gpt-4o-mini', { width: 512, height: 512 }, 'auto')).toBe(2833 + 5667);
  });

  test('OpenAI patches as published: 1024 x 1024 is 1024 patches, and never above 1536', () => {
    expect(imageTokens('gpt-4.1-mini', { width: 1024, height: 1024 }, undefined)).toBe(1659);
    expect(imageTokens('gpt-4.1-nano', undefined, undefined)).toBe(Math.ceil(1536 * 2.46));
  });

  test('an image of unknown size costs the dearest that can come of it', () => {
    for (const model of ['gpt-4o', 'gpt-4o-mini', 'o1', 'gpt-4.1-mini', 'grok-4', 'claude-x']) {
      const dearest = imageTokens(model, undefined, 'high');
      for (const width of [1, 100, 511, 768, 2048, 9000]) {
        for (const height of [1, 600, 769, 4000]) {
          expect(imageTokens(model, { width, height }, 'high')).toBeLessThanOrEqual(dearest);
        }
      }
    }
  });
});

describe('slices', () => {
  const cut = (text: string) => [...slices(text)];

  test('slices joined are the text, and none splits a surrogate pair', () => {
    const words = 'Ein Satz, 12345 mal! '.repeat(4_000);
    for (const text of [words, 'a'.repeat(5_000), '😀'.repeat(3_000), '中'.repeat(9_000), 'x']) {
      const parts = cut(text);
      expect(parts.map((part) => part.text).join('')).toBe(text);
      for (const part of parts) expect(part.text).not.toMatch(/^[\udc00-\udfff]/);
    }
  });

  test('no run without a split is longer than the bound, whatever it is made of', () => {
    const runs = [
      'a',
      '中',
      ' ',
      '\n',
      '-',
      '😀',
      'a\u0301',
      '/\n',
      '\u200b',
      '!😀',
      'a\ua7cb',
      '\t ',
    ];
    for (const run of runs) {
      for (const part of cut(run.repeat(20_000 / run.length))) {
        expect(Buffer.byteLength(part.text)).toBeLessThanOrEqual(RUN_BYTES_MAX + 4);
      }
    }
  });

  test('text with words is cut only before a space, and seldom', () => {
    const parts = cut('The quick brown fox jumps over the lazy dog. '.repeat(2_000));
    expect(parts.length).toBeLessThan(8);
    for (const part of parts.slice(1)) expect(part.text[0]).toBe(' ');
    for (const part of parts) expect(part.forced).toBe(false);
    expect(parts[0]?.text.length).toBeLessThan(SLICE_UNITS + 50);
  });
});
