// What the sandbox answers: the same to the same body, always. A word is a token, so usage is what
// anyone can count; chunks and whole answers have the shapes of OpenAI's chat completions.

import type { CallBody } from '../../core/call.js';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.js';
import { type Prompt, wordsOf } from './script.js';

export const MODELS = ['echo', 'lorem'] as const;
export type SandboxModel = (typeof MODELS)[number];

export interface Answer {
  id: string;
  model: SandboxModel;
  createdAtS: number;
  choices: number;
  /** Each word with the space before it; for a tool call the pieces of its arguments. */
  words: readonly string[];
  tool: string | undefined;
  finishReason: 'stop' | 'length' | 'tool_calls';
  promptTokens: number;
}

const LOREM = wordsOf(
  'Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut ' +
    'labore et dolore magna aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco ' +
    'laboris nisi ut aliquip ex ea commodo consequat. Duis aute irure dolor in reprehenderit in ' +
    'voluptate velit esse cillum dolore eu fugiat nulla pariatur. Excepteur sint occaecat ' +
    'cupidatat non proident, sunt in culpa qui officia deserunt mollit anim id est laborum.',
);
const LOREM_WORDS = 48;

export function answerTo(
  body: CallBody,
  prompt: Prompt,
  named: { id: string; model: SandboxModel; createdAtS: number },
): Answer {
  const tool = prompt.script.tool ? firstTool(body.json.tools) : undefined;
  const source = named.model === 'echo' ? wordsOf(prompt.said) : LOREM;
  const said = source.length > 0 ? source : ['(nothing', 'was', 'said)'];
  const usual = named.model === 'echo' ? said.length : LOREM_WORDS;
  const wanted = prompt.script.tokens ?? usual;
  const most = Math.min(wanted, body.outputBound?.tokens ?? wanted);
  const base = { ...named, choices: body.choices, tool, promptTokens: prompt.tokens };
  if (tool !== undefined) {
    const pieces = wordsWithSpaces([JSON.stringify({ text: said.slice(0, most).join(' ') })]);
    return { ...base, words: pieces, finishReason: 'tool_calls' };
  }
  const words = Array.from({ length: most }, (_, i) => said[i % said.length]!);
  const finishReason = most < wanted ? 'length' : 'stop';
  return { ...base, words: wordsWithSpaces(words), finishReason };
}

export function usageOf(answer: Answer): JsonObject {
  const completion = answer.words.length * answer.choices;
  return {
    prompt_tokens: answer.promptTokens,
    completion_tokens: completion,
    total_tokens: answer.promptTokens + completion,
  };
}

export function wholeAnswer(answer: Answer, withUsage: boolean): JsonObject {
  const text = answer.words.join('');
  const message: JsonObject = { role: 'assistant', content: text, refusal: null };
  if (answer.tool !== undefined) {
    message.content = null;
    message.tool_calls = [toolCall(answer, answer.tool, text)];
  }
  const choices = Array.from({ length: answer.choices }, (_, index) => ({
    index,
    message,
    logprobs: null,
    finish_reason: answer.finishReason,
  }));
  const whole: JsonObject = { ...headOf(answer, 'chat.completion'), choices };
  if (withUsage) whole.usage = usageOf(answer);
  return whole;
}

/** The chunk that opens a choice. */
export function openingChunk(answer: Answer, index: number): string {
  const delta: JsonObject = { role: 'assistant', content: answer.tool === undefined ? '' : null };
  if (answer.tool !== undefined) {
    delta.tool_calls = [{ index: 0, ...toolCall(answer, answer.tool, '') }];
  }
  return chunk(answer, [choiceOf(index, delta, null)]);
}

export function wordChunk(answer: Answer, index: number, word: string): string {
  const delta: JsonObject =
    answer.tool === undefined
      ? { content: word }
      : { tool_calls: [{ index: 0, function: { arguments: word } }] };
  return chunk(answer, [choiceOf(index, delta, null)]);
}

export function closingChunk(answer: Answer, index: number): string {
  return chunk(answer, [choiceOf(index, {}, answer.finishReason)]);
}

export function usageChunk(answer: Answer): string {
  return chunk(answer, [], { usage: usageOf(answer) });
}

function chunk(answer: Answer, choices: Json[], more: JsonObject = {}): string {
  const event = { ...headOf(answer, 'chat.completion.chunk'), choices, ...more };
  return `data: ${JSON.stringify(event)}\n\n`;
}

function headOf(answer: Answer, object: string): JsonObject {
  return { id: answer.id, object, created: answer.createdAtS, model: answer.model };
}

function choiceOf(index: number, delta: JsonObject, finishReason: string | null): JsonObject {
  return { index, delta, logprobs: null, finish_reason: finishReason };
}

function toolCall(answer: Answer, name: string, text: string): JsonObject {
  return { id: `call_${answer.id}`, type: 'function', function: { name, arguments: text } };
}

function firstTool(tools: Json | undefined): string | undefined {
  const tool = Array.isArray(tools) ? tools[0] : undefined;
  const called = isJsonObject(tool) ? tool.function : undefined;
  return isJsonObject(called) && typeof called.name === 'string' ? called.name : undefined;
}

function wordsWithSpaces(words: readonly string[]): string[] {
  return words.flatMap((text) => text.match(/\s*\S+/g) ?? []).map(spaced);
}

function spaced(word: string, at: number): string {
  return at === 0 || /^\s/.test(word) ? word : ` ${word}`;
}
