// What a script of the ledger answered, read from what lua/parts/fence.lua says of its text and not
// from the code that reads it.

import type { Value } from './resp.js';

export interface ScriptAnswer {
  answer: string;
  seq: number;
  epoch: number;
  timeMs: number;
  last: number;
  balances: readonly string[];
  detail: unknown;
}

/** A text, or a text and a list. */
export function readAnswer(reply: Value): ScriptAnswer {
  const [text, list] = Array.isArray(reply) ? reply : [reply];
  const [words = '', ...detail] = String(text).split('\n');
  const [answer = '', seq, epoch, timeMs, last, ...balances] = words.split(' ');
  return {
    answer,
    ...{ seq: Number(seq), epoch: Number(epoch), timeMs: Number(timeMs), last: Number(last) },
    balances: balances.join('') === '' ? [] : balances,
    detail: list ?? detail.join('\n'),
  };
}
