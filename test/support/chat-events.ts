// Events of a chat completions stream, as a provider would write them.

const head = { id: '1', object: 'chat.completion.chunk', created: 1, model: 'model' };

export const DONE = 'data: [DONE]\n\n';

export function chunk(choices: unknown[], more: object = {}): string {
  return `data: ${JSON.stringify({ ...head, choices, ...more })}\n\n`;
}

export function delta(delta: object, index = 0, finishReason: string | null = null): string {
  return chunk([{ index, delta, finish_reason: finishReason }]);
}

/** So many events, each of one token in the encodings of OpenAI. */
export function words(count: number): string {
  return delta({ content: ' hello' }).repeat(count);
}

export const FINISH = delta({}, 0, 'stop');

export function usageChunk(usage: object): string {
  return chunk([], { usage });
}
