// Streams of the three wire formats, event by event, as their providers write them: texts, tool
// calls, usage. Each event is one whole block, so that a test knows where they end.

import type { Format } from '../transcripts.js';

export interface Told {
  input: number;
  output: number;
}

export interface Wire {
  format: Format;
  /** The provider of a story that speaks it, and where its clients knock. */
  provider: string;
  path: string;
  /** The body of a call; `bound` is its output bound. */
  body(model: string, prompt: string, bound?: number): Record<string, unknown>;
  /** A stream of one text in pieces; without usage it is cut off before its end is told. */
  text(pieces: readonly string[], usage: Told): string[];
  tool(name: string, pieces: readonly string[], usage: Told): string[];
}

const block = (told: object) => `data: ${JSON.stringify(told)}\n\n`;
const named = (told: { type: string }) => `event: ${told.type}\n${block(told)}`;

function chunk(choices: object[], more: object = {}): string {
  const head = { id: 'c-1', object: 'chat.completion.chunk', created: 1, model: 'model' };
  return block({ ...head, choices, ...more });
}

const choice = (delta: object, finish: string | null = null) =>
  chunk([{ index: 0, delta, finish_reason: finish }]);

function chatEnd(finish: string, { input, output }: Told): string[] {
  const usage = {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
  };
  return [choice({}, finish), chunk([], { usage }), 'data: [DONE]\n\n'];
}

const chat: Wire = {
  format: 'chat',
  provider: 'scripted',
  path: '/v1/chat/completions',
  body: (model, prompt, bound) => ({
    model: `scripted/${model}`,
    messages: [{ role: 'user', content: prompt }],
    stream: true,
    ...(bound !== undefined && { max_tokens: bound }),
  }),
  text: (pieces, usage) => [
    choice({ role: 'assistant', content: '' }),
    ...pieces.map((content) => choice({ content })),
    ...chatEnd('stop', usage),
  ],
  tool: (name, pieces, usage) => [
    choice({
      role: 'assistant',
      tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name, arguments: '' } }],
    }),
    ...pieces.map((text) => choice({ tool_calls: [{ index: 0, function: { arguments: text } }] })),
    ...chatEnd('tool_calls', usage),
  ],
};

function messageOf(opened: object, deltas: object[], finish: string, { input, output }: Told) {
  const head = { id: 'msg_1', type: 'message', role: 'assistant', model: 'model', content: [] };
  const usage = { input_tokens: input, output_tokens: 1 };
  const message = { ...head, stop_reason: null, stop_sequence: null, usage };
  return [
    named({ type: 'message_start', message } as { type: string }),
    named({ type: 'content_block_start', index: 0, content_block: opened } as { type: string }),
    ...deltas.map((delta) =>
      named({ type: 'content_block_delta', index: 0, delta } as { type: string }),
    ),
    named({ type: 'content_block_stop', index: 0 } as { type: string }),
    named({
      type: 'message_delta',
      delta: { stop_reason: finish, stop_sequence: null },
      usage: { output_tokens: output },
    } as { type: string }),
    named({ type: 'message_stop' }),
  ];
}

const messages: Wire = {
  format: 'messages',
  provider: 'claude',
  path: '/v1/messages',
  body: (model, prompt, bound = 100_000) => ({
    model: `claude/${model}`,
    messages: [{ role: 'user', content: prompt }],
    stream: true,
    max_tokens: bound,
  }),
  text: (pieces, usage) =>
    messageOf(
      { type: 'text', text: '' },
      pieces.map((text) => ({ type: 'text_delta', text })),
      'end_turn',
      usage,
    ),
  tool: (name, pieces, usage) =>
    messageOf(
      { type: 'tool_use', id: 'toolu_1', name, input: {} },
      pieces.map((text) => ({ type: 'input_json_delta', partial_json: text })),
      'tool_use',
      usage,
    ),
};

/** Numbers the events in their order. */
function numbered(events: readonly { type: string }[]): string[] {
  return events.map((told, number) =>
    named({ ...told, sequence_number: number } as { type: string }),
  );
}

function responseOf(status: string, output: object[], told?: Told) {
  const usage = told && {
    input_tokens: told.input,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: told.output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: told.input + told.output,
  };
  const head = { id: 'resp_1', object: 'response', created_at: 1, model: 'model', status, output };
  const rest = { error: null, incomplete_details: null, instructions: null, metadata: {} };
  const tools = { parallel_tool_calls: true, tool_choice: 'auto', tools: [] };
  return { ...head, ...rest, ...tools, usage: usage ?? null };
}

const responses: Wire = {
  format: 'responses',
  provider: 'scripted',
  path: '/v1/responses',
  body: (model, prompt, bound) => ({
    model: `scripted/${model}`,
    input: prompt,
    stream: true,
    ...(bound !== undefined && { max_output_tokens: bound }),
  }),
  text(pieces, usage) {
    const place = { item_id: 'item_1', output_index: 0 };
    const part = (text: string) => ({ type: 'output_text', text, annotations: [], logprobs: [] });
    const item = (status: string, content: object[]) => ({
      ...{ id: 'item_1', type: 'message', role: 'assistant', status, content },
    });
    const text = pieces.join('');
    const whole = item('completed', [part(text)]);
    const [added, done] = ['response.output_item.added', 'response.output_item.done'];
    const events = [
      { type: 'response.created', response: responseOf('in_progress', []) },
      { type: 'response.in_progress', response: responseOf('in_progress', []) },
      { type: added, output_index: 0, item: item('in_progress', []) },
      { type: 'response.content_part.added', ...place, content_index: 0, part: part('') },
      ...pieces.map((delta) => ({
        ...{ type: 'response.output_text.delta', ...place, content_index: 0, delta, logprobs: [] },
      })),
      { type: 'response.output_text.done', ...place, content_index: 0, text, logprobs: [] },
      { type: 'response.content_part.done', ...place, content_index: 0, part: part(text) },
      { type: done, output_index: 0, item: whole },
      { type: 'response.completed', response: responseOf('completed', [whole], usage) },
    ];
    return numbered(events);
  },
  tool(name, pieces, usage) {
    const place = { item_id: 'item_1', output_index: 0 };
    const item = (status: string, text: string) => ({
      ...{ id: 'item_1', type: 'function_call', call_id: 'call_1', name, arguments: text, status },
    });
    const text = pieces.join('');
    const whole = item('completed', text);
    const type = 'response.function_call_arguments';
    const [added, done] = ['response.output_item.added', 'response.output_item.done'];
    const events = [
      { type: 'response.created', response: responseOf('in_progress', []) },
      { type: added, output_index: 0, item: item('in_progress', '') },
      ...pieces.map((delta) => ({ type: `${type}.delta`, ...place, delta })),
      { type: `${type}.done`, ...place, arguments: text },
      { type: done, output_index: 0, item: whole },
      { type: 'response.completed', response: responseOf('completed', [whole], usage) },
    ];
    return numbered(events);
  },
};

export const WIRES: Readonly<Record<Format, Wire>> = { chat, messages, responses };
