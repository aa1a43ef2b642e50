// A story of a test: it gets a fresh database, and no test can leave out that the books are checked
// when it ends.

import { afterAll, expect } from 'vitest';
import { freshDatabase } from './databases.js';
import { openStory, type Story, type StoryOptions } from './story.js';

export type { Story, StoryOptions } from './story.js';

// Registered before the hooks of the test file, and so the last one: a story that was not ended is
// one whose books nobody has checked.
let started = 0;
let ended = 0;
afterAll(() => {
  expect(ended, 'every story was ended, and its books checked').toBe(started);
});

export async function startStory(options: StoryOptions = {}): Promise<Story> {
  const { database = 'postgres' } = options;
  const fresh = typeof database === 'string' ? await freshDatabase(database) : database;
  const story = await openStory(options, fresh);
  started += 1;
  return {
    ...story,
    end() {
      ended += 1;
      return story.end();
    },
  };
}

/** A whole answer of the scripted upstream. */
export function wholeAnswer(usage: Record<string, unknown>, content = 'Hello there.'): string {
  return JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model: 'model',
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage,
  });
}

/** The plan of an upstream that answers in one piece. */
export function answering(usage: Record<string, unknown>, content?: string) {
  return {
    headers: { 'content-type': 'application/json' },
    body: wholeAnswer(usage, content),
  };
}
