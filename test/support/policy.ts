// What the stories of budgets have in common: one small call by the real client, the admin API.

import type OpenAI from 'openai';
import { APIError } from 'openai';
import { expect } from 'vitest';
import type { Story } from './gateway.js';

export const ASK = {
  model: 'scripted/model',
  messages: [{ role: 'user' as const, content: 'Hello?' }],
  max_tokens: 20,
};

/** What the real client got: `200`, or the status and the code of its error. */
export async function call(
  story: Story,
  body: object = {},
  headers: Record<string, string> = {},
): Promise<unknown> {
  try {
    const options = { headers, maxRetries: 0 };
    await story.openai.chat.completions.create({ ...ASK, ...body }, options).asResponse();
    return 200;
  } catch (error) {
    if (!(error instanceof APIError)) throw error;
    return [error.status, error.code];
  }
}

export interface Heard {
  status: number;
  /** Of an error. */
  code: string | undefined;
  headers: Headers;
}

/** What the real client got, with the headers of the answer or of its error. */
export async function heard(
  client: OpenAI,
  body: object = {},
  headers: Record<string, string> = {},
): Promise<Heard> {
  try {
    const asked = client.chat.completions.create({ ...ASK, ...body }, { headers, maxRetries: 0 });
    const { response } = await asked.withResponse();
    return { status: response.status, code: undefined, headers: response.headers };
  } catch (error) {
    if (!(error instanceof APIError)) throw error;
    return { status: error.status, code: error.code ?? undefined, headers: error.headers };
  }
}

/** The body of what was done; fails where it was refused. */
export async function admin(
  story: Story,
  method: string,
  path: string,
  body?: unknown,
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came.
): Promise<any> {
  const answer = await story.admin(method, path, body);
  const json = await answer.json();
  expect(answer.status, JSON.stringify(json)).toBeLessThan(300);
  return json;
}

/** The status of what was refused, and the member that was wrong, else the code. */
export async function refusal(
  story: Story,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const answer = await story.admin(method, path, body);
  const { error } = (await answer.json()) as { error?: { code: string; param: string | null } };
  return `${answer.status} ${error?.param ?? error?.code}`;
}
