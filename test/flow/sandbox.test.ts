import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { realClock } from '#src/drivers/clock.js';
import { openSandbox, type Sandbox } from '#src/edges/sandbox/sandbox.js';

let sandbox: Sandbox;
let client: OpenAI;

beforeAll(async () => {
  sandbox = await openSandbox({ clock: realClock });
  client = new OpenAI({ baseURL: sandbox.baseUrl, apiKey: 'none', maxRetries: 0 });
});
afterAll(() => sandbox.close());

const ask = (content: string, more: object = {}) =>
  client.chat.completions.create({
    model: 'echo',
    messages: [{ role: 'user', content }],
    ...more,
    stream: false,
  });

async function stream(content: string, more: object = {}) {
  const answer = { texts: [] as string[], finish: [] as unknown[], usage: undefined as unknown };
  const events = await client.chat.completions.create({
    model: 'echo',
    messages: [{ role: 'user', content }],
    ...more,
    stream: true,
  });
  for await (const event of events) {
    for (const choice of event.choices) {
      answer.texts[choice.index] =
        (answer.texts[choice.index] ?? '') + (choice.delta.content ?? '');
      if (choice.finish_reason) answer.finish.push(choice.finish_reason);
    }
    if (event.usage) answer.usage = event.usage;
  }
  return answer;
}

const tools = [{ type: 'function', function: { name: 'weather', parameters: {} } }];
const includeUsage = { stream_options: { include_usage: true } };

describe('the sandbox, asked by the real client', () => {
  it('echoes what the user said and tells consistent usage, streamed or not', async () => {
    const whole = await ask('one two  three');
    expect(whole.choices[0]?.message.content).toBe('one two three');
    const usage = { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 };
    expect(whole.usage).toEqual(usage);
    const streamed = await stream('one two  three', includeUsage);
    expect(streamed).toEqual({ texts: ['one two three'], finish: ['stop'], usage });
    expect((await stream('one two three')).usage).toBeUndefined();
  });

  it('says the same to the same', async () => {
    const [left, right] = [
      await ask('again', { model: 'lorem' }),
      await ask('again', { model: 'lorem' }),
    ];
    expect(left.choices).toEqual(right.choices);
    expect(left.id).toBe(right.id);
    expect(left.usage?.completion_tokens).toBe(48);
  });

  it('keeps to the bound, to n, and to the length it was asked for', async () => {
    const cut = await stream('[[tokens=20]] word', { max_tokens: 5, n: 2, ...includeUsage });
    expect(cut.texts).toEqual(['word word word word word', 'word word word word word']);
    expect(cut.finish).toEqual(['length', 'length']);
    expect(cut.usage).toMatchObject({ completion_tokens: 10 });
    expect((await ask('x', { max_completion_tokens: 1 })).choices[0]?.finish_reason).toBe('stop');
  });

  it('calls the first tool where asked to', async () => {
    const whole = await ask('[[tool]] in Bern', { tools });
    const [call] = whole.choices[0]?.message.tool_calls ?? [];
    expect(call).toMatchObject({ function: { name: 'weather', arguments: '{"text":"in Bern"}' } });
    expect((await stream('[[tool]] in Bern', { tools })).finish).toEqual(['tool_calls']);
    expect((await ask('[[tool]] in Bern')).choices[0]?.message.content).toBe('in Bern');
  });

  it('fails and dies where asked to', async () => {
    await expect(ask('[[fail=429]]')).rejects.toMatchObject({ status: 429 });
    await expect(ask('[[fail=503]]')).rejects.toMatchObject({ status: 503 });
    await expect(stream('[[die_after=2]] a b c d')).rejects.toThrow();
    await expect(ask('[[die_after=2]] a b c d')).rejects.toThrow();
    await expect(ask('x', { model: 'gpt-4o' })).rejects.toMatchObject({ status: 404 });
    await expect(ask('x', { n: 0 })).rejects.toMatchObject({ status: 400, param: 'n' });
  });

  it('writes what it said before it dies, and stops when its reader leaves', async () => {
    const body = (content: string) =>
      JSON.stringify({ model: 'echo', stream: true, messages: [{ role: 'user', content }] });
    const url = `${sandbox.baseUrl}/chat/completions`;
    const response = await fetch(url, { method: 'POST', body: body('[[die_after=3]] a b c d e') });
    let text = '';
    const reading = (async () => {
      for await (const part of response.body!) text += Buffer.from(part).toString();
    })();
    await expect(reading).rejects.toThrow();
    expect(text.match(/"content":"( ?[a-e])"/g)).toHaveLength(3);
    expect(text).not.toContain('[DONE]');

    const abort = new AbortController();
    const slow = body('[[tokens=100000]] [[delay_ms=1]] x');
    const left = await fetch(url, { method: 'POST', body: slow, signal: abort.signal });
    await left.body!.getReader().read();
    abort.abort();
  });

  it('lists its models', async () => {
    const models = await client.models.list();
    expect(models.data.map((model) => model.id)).toEqual(['echo', 'lorem']);
  });
});
