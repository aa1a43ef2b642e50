// Prompts of a bench: believable text of a given size, with marks (16 tildes) where it is to be
// one that nobody has seen.

import { MODEL } from './purser.js';

const MARK = '~'.repeat(16);
const MESSAGE_BYTES = 2000;
const WORDS = (
  'const budget function return the prompt token price of a call is held before it is sent and ' +
  'never more than what is left in every envelope await reservation if error null => { } ( ) ; ' +
  'Überlauf überprüfen 42 1_000 test/unit/rules/prompt.ts'
).split(' ');

let state = 0;

function text(bytes: number): string {
  let made = '';
  for (let words = 0; made.length < bytes; words += 1) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    made += `${WORDS[(state >>> 8) % WORDS.length]}${words % 11 === 10 ? '\n' : ' '}`;
  }
  return made;
}

/** The JSON of a body: every message is marked as new, or only those of the last turn. */
export function conversation(kilobytes: number, kind: 'unseen' | 'growing'): string {
  const count = Math.max(4, Math.round((kilobytes * 1024) / MESSAGE_BYTES));
  const messages = Array.from({ length: count }, (_, index) => {
    const isNew = kind === 'unseen' || index >= count - 2;
    const role = index === 0 ? 'system' : index % 2 === 1 ? 'user' : 'assistant';
    return { role, content: `${isNew ? MARK : index} ${text(MESSAGE_BYTES - 60)}` };
  });
  return JSON.stringify({ model: MODEL, max_tokens: 256, messages });
}

/** The JSON of a body with a megabyte of one letter, and something that makes it new. */
export function letters(mark: string): string {
  const content = `${'a'.repeat(1024 * 1024)} ${mark}`;
  const messages = [{ role: 'user', content }];
  return JSON.stringify({ model: MODEL, max_tokens: 256, messages });
}
