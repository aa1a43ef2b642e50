// Every small lie that can be told in the Lua: one operator, constant, field, word or write changed
// or left out at a time. Comments and headers are left alone; so is what only names an answer's
// place in the header.

export interface Mutant {
  file: string;
  line: number;
  /** What was changed into what. */
  change: string;
  /** The whole text of the file with the change. */
  text: string;
}

interface Token {
  kind: 'word' | 'number' | 'text' | 'sign' | 'comment' | 'space';
  text: string;
  at: number;
}

const TOKENS =
  /(--\[\[[\s\S]*?\]\]|--[^\n]*|#![^\n]*)|('(?:[^'\\\n]|\\.)*')|([A-Za-z_]\w*)|(\d+(?:\.\d+)?)|(\.\.|~=|==|<=|>=|[-+*/<>=#(){}[\],.:;%^])|(\s+)/g;
const KINDS = ['comment', 'text', 'word', 'number', 'sign', 'space'] as const;

export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let end = 0;
  for (const match of text.matchAll(TOKENS)) {
    if (match.index !== end) throw new Error(`No token at ${text.slice(end, end + 20)}`);
    end = match.index + match[0].length;
    const kind = KINDS[match.slice(1).findIndex((group) => group !== undefined)]!;
    tokens.push({ kind, text: match[0], at: match.index });
  }
  if (end !== text.length) throw new Error(`No token at ${text.slice(end, end + 20)}`);
  return tokens;
}

const SIGNS: Record<string, readonly string[]> = {
  '==': ['~='],
  '~=': ['=='],
  '<': ['<=', '>='],
  '>': ['>=', '<='],
  '<=': ['<', '>'],
  '>=': ['>', '<'],
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
};
const WORDS: Record<string, readonly string[]> = {
  and: ['or'],
  or: ['and'],
  not: [''],
  max: ['min'],
  min: ['max'],
  true: ['false'],
  false: ['true'],
  floor: ['ceil'],
  nil: ['0'],
};
/** Fields and words of Redis that stand for each other's neighbours. */
const SWAPS: readonly (readonly string[])[] = [
  ['committed', 'reserved', 'overrun', 'adjusted'],
  ['held', 'sent'],
  ['finalized', 'released', 'reaped', 'refused', 'voided'],
  ['floor', 'seen'],
  ['epoch', 'seq', 'open'],
  ['0', '1'],
  ['base', 'late'],
  ['b', 'w'],
  ['n', 't', 'r', 'c'],
  ['take', 'renew'],
  ['close', 'open'],
  ['hold', 'counters'],
];

/** All mutants of one file, in the order of their places. */
export function mutantsOf(file: string, text: string): Mutant[] {
  const tokens = tokensOf(text);
  const code = tokens.filter(({ kind }) => kind !== 'space' && kind !== 'comment');
  const mutants: Mutant[] = [];
  const put = (at: number, length: number, by: string, change?: string): void => {
    const line = text.slice(0, at).split('\n').length;
    const was = text.slice(at, at + length);
    mutants.push({
      file,
      line,
      change: change ?? `${was.trim()} -> ${by || 'nothing'}`,
      text: text.slice(0, at) + by + text.slice(at + length),
    });
  };
  for (const [i, token] of code.entries()) {
    for (const by of changesOf(token, code[i - 1], code[i + 1])) {
      put(token.at, token.text.length, by);
    }
  }
  for (const { at, length } of writesOf(text)) {
    put(
      at,
      length,
      '',
      `left out: ${text
        .slice(at, at + length)
        .split('\n')[0]!
        .trim()}`,
    );
  }
  return mutants;
}

function changesOf(token: Token, before: Token | undefined, after: Token | undefined): string[] {
  if (token.kind === 'sign') return signChanges(token, before);
  if (token.kind === 'number') return numberChanges(token.text);
  if (token.kind === 'word') {
    if (before?.text === '.' && !['max', 'min', 'floor'].includes(token.text)) return [];
    if (after?.text === '=' && before?.text !== 'local') return [];
    return [...(Object.hasOwn(WORDS, token.text) ? WORDS[token.text]! : [])];
  }
  if (token.kind === 'text') return textChanges(token.text);
  return [];
}

function signChanges({ text }: Token, before: Token | undefined): string[] {
  // A sign before a number or name, not between two, only changes its side.
  const isUnary =
    before === undefined || /^([=(,{<>~]=?|==|and|or|not|return|\.\.)$/.test(before.text);
  if (text === '-' && isUnary) return [''];
  return Object.hasOwn(SIGNS, text) ? [...SIGNS[text]!] : [];
}

function numberChanges(text: string): string[] {
  const number = BigInt(text);
  return number === 0n ? ['1'] : [`${number + 1n}`, `${number - 1n}`];
}

function textChanges(quoted: string): string[] {
  const text = quoted.slice(1, -1);
  const group = SWAPS.find((words) => words.includes(text));
  if (group) {
    const place = group.indexOf(text);
    return [`'${group[(place + 1) % group.length]}'`];
  }
  if (/^\d+$/.test(text)) return [`'${BigInt(text) + 1n}'`, `'${BigInt(text) - 1n}'`];
  return [];
}

/** Statements that write, whole: a line that begins with redis.call, up to its closing bracket. */
function writesOf(text: string): { at: number; length: number }[] {
  const found: { at: number; length: number }[] = [];
  for (const match of text.matchAll(/^[ \t]*(redis\.call\()/gm)) {
    let depth = 0;
    for (let i = match.index + match[0].length - 1; i < text.length; i += 1) {
      if (text[i] === '(') depth += 1;
      if (text[i] === ')') depth -= 1;
      if (depth === 0) {
        found.push({ at: match.index, length: i + 1 - match.index });
        break;
      }
    }
  }
  return found;
}
