import { describe, expect, test } from 'vitest';
import { isRefused, type Refused } from '#src/core/errors.js';
import type { Json, JsonObject } from '#src/core/json.js';
import { type Fitted, fitPrompt } from '#src/flows/call/fit.js';
import type { PromptTemplate, TemplateSlot } from '#src/stores/prompt/templates.js';
import {
  callerWith,
  chatCall,
  fitDeps,
  planWith,
  tokensOf,
} from '../../support/prompt/fit-deps.js';
import { type Seeded, seeded } from '../../support/seeded.js';

const CASES = Number(process.env.PROMPT_CASES ?? 5_000);
const LINE = 'a line of some words to be cut\n';

async function fitted(...args: Parameters<typeof fitPrompt>): Promise<Fitted> {
  const result = await fitPrompt(...args);
  if (result === undefined) throw new Error('untouched');
  if (isRefused(result)) throw new Error(result.refused.message);
  return result;
}

async function refusal(...args: Parameters<typeof fitPrompt>): Promise<Refused['refused']> {
  const result = await fitPrompt(...args);
  if (!isRefused(result)) throw new Error('not refused');
  return result.refused;
}

const ask = (messages: Json[], more: JsonObject = {}) => ({ model: 'm', messages, ...more });
const say = (role: string, content: Json): JsonObject => ({ role, content });
const text = (body: Fitted['body']): string => body.raw.toString('utf8');

describe('a call that wishes nothing of its prompt', () => {
  test('is not looked at', () => {
    const call = chatCall(ask([say('user', 'hi')]));
    const deps = { ...fitDeps(), countEach: () => expect.unreachable() };
    expect(fitPrompt(deps, call, callerWith(), planWith())).toBeUndefined();
    expect(fitPrompt(deps, call, callerWith({ model: 'm' }), planWith())).toBeUndefined();
  });

  test('keeps its very body where its agent has a policy and the prompt fits', async () => {
    const call = chatCall(ask([say('user', 'hi')]));
    const caller = callerWith({ prompt_policy: { max_prompt_tokens: 100 } });
    const result = await fitted(fitDeps(), call, caller, planWith());
    expect(result.body).toBe(call.body);
    expect(result.report).toEqual({ before: 8, after: 8, trims: [], warnings: [] });
  });
});

describe('the member `purser`', () => {
  test('is taken out, and every other byte stays', async () => {
    const raw =
      '{"model" : "m", "purser":{"max_prompt_tokens":50},\n "messages": [ {"role":"user",' +
      '"content":"h\\u0069","x":1e400,"y":9007199254740993} ] , "seed":12345678901234567890}';
    const { body } = await fitted(fitDeps(), chatCall(raw), callerWith(), planWith());
    expect(text(body)).toBe(raw.replace(' "purser":{"max_prompt_tokens":50},\n ', ''));
    expect(body.json).not.toHaveProperty('purser');
    expect([...body.members.keys()]).toEqual(['model', 'messages', 'seed']);
  });

  test.each([
    [{ max_prompt_tokens: 0 }, 'purser.max_prompt_tokens'],
    [{ max_prompt_tokens: '10' }, 'purser.max_prompt_tokens'],
    [{ max_promt_tokens: 10 }, 'purser'],
    [{ template: '' }, 'purser.template'],
    [{ template: 'none' }, 'purser.template'],
    [{ slots: { a: 'b' } }, 'purser.template'],
    [{ slots: { a: 1 } }, 'purser.slots'],
    ['x', 'purser'],
    [null, 'purser'],
  ])('%j is refused and names its member', async (purser, param) => {
    const call = chatCall(ask([say('user', 'hi')], { purser }));
    const refused = await refusal(fitDeps(), call, callerWith(), planWith());
    expect(refused).toMatchObject({ code: 'invalid_value', param });
  });

  test('is refused where prompts are not fitted', async () => {
    const { body } = chatCall(ask([say('user', 'hi')], { purser: {} }));
    const call = { operation: 'embeddings' as const, body };
    const refused = await refusal(fitDeps(), call, callerWith(), planWith());
    expect(refused).toMatchObject({ code: 'unsupported_parameter', param: 'purser' });
  });
});

describe('a conversation', () => {
  const long = [
    say('system', 'Be brief.'),
    say('user', 'one '.repeat(30)),
    say('assistant', 'two '.repeat(30)),
    say('user', 'three '.repeat(30)),
    say('assistant', 'four '.repeat(30)),
    say('user', 'last'),
  ];

  test('loses its oldest exchange first; system and last user message stay', async () => {
    const call = chatCall(ask(long, { purser: { max_prompt_tokens: 160 } }));
    const result = await fitted(fitDeps(), call, callerWith(), planWith());
    expect(result.body.json.messages).toEqual([long[0], ...long.slice(3)]);
    expect(result.report.trims).toEqual([
      { key: 'history', removed_chars: 240, removed_tokens: 128 },
    ]);
    expect(result.report.after).toBe(tokensOf(result.body.json));
    expect(result.headers).toEqual({
      'x-purser-prompt-tokens': String(result.report.after),
      'x-purser-trimmed': '"history";tokens=128;chars=240',
    });
  });

  test('keeps the bytes of every message that stays', async () => {
    const kept = '{ "role":"user", "content":"k\\u00e9pt", "weight": 1e400 }';
    const raw = `{"model":"m","messages":[${JSON.stringify(long[1])},${JSON.stringify(long[2])}, ${kept} ],"purser":{"max_prompt_tokens":20}}`;
    const result = await fitted(fitDeps(), chatCall(raw), callerWith(), planWith());
    expect(text(result.body)).toBe(`{"model":"m","messages":[${kept}]}`);
  });

  test('is trimmed to the window where the policy says so, with room for an answer', async () => {
    const call = chatCall(ask(long, { max_tokens: 40 }));
    const caller = callerWith({ prompt_policy: { fit_window: true } });
    const result = await fitted(fitDeps(), call, caller, planWith(200));
    expect(result.report.before).toBeGreaterThan(200);
    expect(result.report.after).toBeLessThanOrEqual(160);
    const bound = { ...fitDeps(), countsExactly: () => false };
    expect((await fitted(bound, call, caller, planWith(200))).body).toBe(call.body);
  });

  test('is cut in its texts where whole rounds are not enough, and refused where that is forbidden', async () => {
    const one = [say('system', LINE.repeat(200)), say('user', 'word '.repeat(400))];
    const call = chatCall(ask(one, { purser: { max_prompt_tokens: 100 } }));
    const result = await fitted(fitDeps(), call, callerWith(), planWith());
    expect(result.report.after).toBeLessThanOrEqual(100);
    expect(result.report.warnings).toContain('min_chars_reduced');
    expect(result.report.warnings).toContain('fallback_trim_applied:input');
    const caller = callerWith({ prompt_policy: { fallback: 'refuse' } });
    const refused = await refusal(fitDeps(), call, caller, planWith());
    expect(refused).toMatchObject({ code: 'context_length_exceeded', param: 'messages' });
  });

  test('cuts the one text of a message with an image, and leaves the image', async () => {
    const image = { type: 'image_url', image_url: { url: 'https://x/y.png', detail: 'low' } };
    const content = [{ type: 'text', text: LINE.repeat(50) }, image];
    const call = chatCall(ask([say('user', content)], { purser: { max_prompt_tokens: 300 } }));
    const result = await fitted(fitDeps(), call, callerWith(), planWith());
    const [message] = result.body.json.messages as JsonObject[];
    expect((message!.content as Json[])[1]).toEqual(image);
    expect(JSON.stringify(message!.content)).toContain('\\n[trimmed]"');
    expect(result.report.after).toBe(tokensOf(result.body.json));
  });
});

describe('a template', () => {
  const slot = (key: string, source: TemplateSlot['source'], more: Partial<TemplateSlot> = {}) => ({
    ...{ key, source, category: key, priority: 50, content: null },
    ...{ mustKeep: false, minChars: 0, softMaxChars: null, ...more },
  });
  const template: PromptTemplate = {
    id: 't1',
    name: 'coder',
    maxPromptTokens: 400,
    slots: [
      slot('system', 'system_prompt', { mustKeep: true, minChars: 40 }),
      slot('memory', 'agent_memory'),
      slot('notes', 'text', { content: LINE.repeat(40), softMaxChars: 100 }),
      slot('history', 'conversation', { priority: 20 }),
      slot('diff', 'request', { category: 'input', mustKeep: true }),
    ],
  };
  const texts = { systemPrompt: 'You write code.\n', memory: '- a/b: c\n' };
  const deps = fitDeps([template], texts);

  test('puts its slots around the conversation, and trims the least first', async () => {
    const purser = { template: 'coder', slots: { diff: '+ one line\n' } };
    const call = chatCall(ask([say('user', 'Review this.')], { purser }));
    const result = await fitted(deps, call, callerWith(), planWith());
    const messages = result.body.json.messages as JsonObject[];
    expect(messages.map(({ role }) => role)).toEqual([
      'system',
      'system',
      'system',
      'user',
      'user',
    ]);
    expect(messages[0]!.content).toBe(texts.systemPrompt);
    expect(messages[2]!.content).toMatch(/^(a line of some words to be cut\n)+\[trimmed\]$/);
    expect(messages[4]!.content).toBe('+ one line\n');
    expect(result.report.trims.map(({ key }) => key)).toEqual(['notes']);
    expect(result.report.warnings).toEqual(['soft_limit_exceeded:notes']);
    expect(result.report.after).toBe(tokensOf(result.body.json));
    expect(result.templateId).toBe('t1');
    expect(result.figures).toMatchObject({
      tokensAfter: result.report.after,
      trimsCount: 1,
      rejects: 0,
    });
  });

  test('takes no slot from a request that it does not leave open', async () => {
    for (const [key, hint] of [
      ['system', 'It takes: diff'],
      ['dif', 'Did you mean diff?'],
    ]) {
      const purser = { template: 'coder', slots: { [key!]: 'x' } };
      const call = chatCall(ask([say('user', 'hi')], { purser }));
      const refused = await refusal(deps, call, callerWith(), planWith());
      expect(refused).toMatchObject({ code: 'invalid_value', param: `purser.slots.${key}` });
      expect(refused.message).toContain(hint);
    }
  });

  test('of the policy holds where the call names none; a rules file that cannot be read is told', async () => {
    const rules = { ...template, slots: [slot('rules', 'rules_file')] };
    const rulesFile = { kind: 'unreadable' as const, reason: 'gone' };
    const caller = callerWith({ prompt_policy: { template: 'coder' } });
    const call = chatCall(ask([say('user', 'hi')]));
    const result = await fitted(fitDeps([rules], { rulesFile }), call, caller, planWith());
    expect(result.report.warnings).toEqual(['rules_file_unreadable:rules']);
    expect(result.body.json.messages).toEqual([say('user', 'hi')]);
  });
});

function randomConversation(random: Seeded): JsonObject[] {
  const messages: JsonObject[] = [];
  let calls = 0;
  for (let count = 1 + random.below(14); count > 0; count -= 1) {
    const words = () => 'word '.repeat(random.below(20)) + (random.below(3) ? '' : '\n"é😀"');
    const kind = random.below(7);
    if (kind === 0) messages.push(say(random.pick(['system', 'developer']), words()));
    else if (kind <= 2) messages.push(say('user', words()));
    else if (kind <= 4) messages.push(say('assistant', words()));
    else {
      const ids = Array.from({ length: 1 + random.below(3) }, () => {
        calls += 1;
        return random.below(5) === 0 ? 'same' : `call_${calls}`;
      });
      const toolCalls = [...new Set(ids)].map((id) => ({
        id,
        type: 'function',
        function: { name: 'f', arguments: '{"a":1}' },
      }));
      messages.push({ role: 'assistant', content: null, tool_calls: toolCalls });
      for (const { id } of toolCalls) {
        if (random.below(6) === 0) messages.push(say('user', words()));
        messages.push({ role: 'tool', tool_call_id: id, content: words() });
      }
    }
  }
  return messages;
}

/** Each result by the place of its call: the last one before it with its id. */
function pairs(messages: readonly JsonObject[]): Map<JsonObject, JsonObject> {
  const callers = new Map<Json, JsonObject>();
  const found = new Map<JsonObject, JsonObject>();
  for (const message of messages) {
    const calls = (message.tool_calls ?? []) as JsonObject[];
    for (const call of calls) callers.set(call.id!, message);
    const caller = message.role === 'tool' ? callers.get(message.tool_call_id!) : undefined;
    if (caller) found.set(message, caller);
  }
  return found;
}

test(`calls keep results, what must stay stays, what comes out parses (${CASES} cases)`, {
  timeout: 60_000 + CASES * 10,
}, async () => {
  let trimmed = 0;
  for (let seed = 0; seed < CASES; seed += 1) {
    const random = seeded(seed);
    const messages = randomConversation(random);
    const whole = tokensOf({ messages });
    const max = 1 + random.below(whole + 5);
    const call = chatCall(ask(messages, { purser: { max_prompt_tokens: max } }));
    const result = await fitPrompt(fitDeps(), call, callerWith(), planWith());
    if (isRefused(result)) {
      if (Number(result.refused.metadata?.least) <= max) throw new Error(`seed ${seed}: refused`);
      continue;
    }
    const { body, report } = result!;
    const json = JSON.parse(text(body)) as { messages: JsonObject[] };
    const wrong = (what: string) => new Error(`seed ${seed}: ${what}`);
    if (JSON.stringify(json) !== JSON.stringify(body.json)) throw wrong('bytes and JSON differ');
    if (tokensOf(body.json) !== report.after || report.after > max) throw wrong('over budget');
    const places = placesOf(messages, json.messages);
    if (places.includes(-1)) throw wrong('a message that was not there');
    const kept = new Set(places);
    const last = messages.findLastIndex(({ role }) => role === 'user');
    for (const [index, message] of messages.entries()) {
      const stays = message.role === 'system' || message.role === 'developer' || index === last;
      if (stays && !kept.has(index)) throw wrong(`message ${index} is gone`);
    }
    for (const [tool, caller] of pairs(messages)) {
      if (kept.has(messages.indexOf(tool)) !== kept.has(messages.indexOf(caller))) {
        throw wrong('a call and its result are apart');
      }
    }
    if (report.trims.length > 0) trimmed += 1;
  }
  expect(trimmed).toBeGreaterThan(CASES / 3);
});

/** Where each message that is left was; by its bytes, or as the beginning of a longer one. */
function placesOf(before: readonly JsonObject[], after: readonly JsonObject[]): number[] {
  let from = before.length;
  return after
    .toReversed()
    .map((message) => {
      const found = before.findLastIndex((one, index) => index < from && isFrom(message, one));
      from = found;
      return found;
    })
    .reverse();
}

function isFrom(message: JsonObject, original: JsonObject): boolean {
  if (JSON.stringify(message) === JSON.stringify(original)) return true;
  const { content } = message;
  if (message.role !== original.role || typeof content !== 'string') return false;
  if (!content.endsWith('[trimmed]') || typeof original.content !== 'string') return false;
  return original.content.startsWith(content.slice(0, -'[trimmed]'.length).trimEnd());
}
