// Reads TypeScript just far enough for the house rules: which characters are code, which are text,
// comment or pattern, where blocks begin and end, and what is imported. No compiler needed.

export interface Source {
  path: string;
  text: string;
  /** As long as the text, line for line; what is inside strings, comments, patterns is blank. */
  code: string;
}

export interface Import {
  specifier: string;
  line: number;
}

export interface Block {
  firstLine: number;
  lastLine: number;
  /** The code before the brace, back to the end of what came before. */
  head: string;
}

/** Files by path, relative to the project's root. */
export type Tree = ReadonlyMap<string, string>;

export function readSource(path: string, text: string): Source {
  return { path, text, code: maskText(text) };
}

export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

const BEFORE_PATTERN = /(^|[(,=:[!&|?{};+\-*%<>~^]|\b(return|typeof|case|in|of|do|else|await))$/;

/** Blanks what is no code. Quotes stay, so that imports can be found. */
function maskText(text: string): string {
  const chars = text.split('');
  const blank = (from: number, to: number) => {
    for (let i = from; i < to; i++) if (chars[i] !== '\n') chars[i] = ' ';
  };
  // Depths of braces at which a template's `${` was opened: their `}` leads back into text.
  const templates: number[] = [];
  let depth = 0;
  let at = 0;
  while (at < text.length) {
    const char = text[at]!;
    const two = text.slice(at, at + 2);
    const start = at;
    if (two === '//' || two === '/*') {
      at = two === '//' ? endOf(text, '\n', at) : endOf(text, '*/', at + 2) + 2;
      blank(start, Math.min(at, chars.length));
    } else if (char === "'" || char === '"') {
      at = endOfQuoted(text, at + 1, char);
      blank(start + 1, at - 1);
    } else if (char === '`' || (char === '}' && templates.at(-1) === depth)) {
      if (char === '}') {
        templates.pop();
        depth--;
      }
      at = endOfTemplate(text, at + 1);
      const opens = text[at - 1] === '{';
      blank(start + 1, opens ? at - 2 : at - 1);
      if (char === '}') chars[start] = ' ';
      if (opens) {
        blank(at - 2, at);
        depth++;
        templates.push(depth);
      }
    } else if (char === '/' && BEFORE_PATTERN.test(codeBefore(chars, at))) {
      at = endOfPattern(text, at + 1);
      blank(start, at);
    } else {
      if (char === '{') depth++;
      if (char === '}') depth--;
      at++;
    }
  }
  return chars.join('');
}

function codeBefore(chars: readonly string[], at: number): string {
  return chars
    .slice(Math.max(0, at - 200), at)
    .join('')
    .trimEnd()
    .slice(-12);
}

function endOf(text: string, what: string, from: number): number {
  const found = text.indexOf(what, from);
  return found === -1 ? text.length : found;
}

function endOfQuoted(text: string, from: number, quote: string): number {
  let at = from;
  while (at < text.length && text[at] !== quote && text[at] !== '\n')
    at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** Past the closing backtick, or past the `${` that comes before it. */
function endOfTemplate(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    if (text[at] === '`') return at + 1;
    if (text.startsWith('${', at)) return at + 2;
    at += text[at] === '\\' ? 2 : 1;
  }
  return at;
}

function endOfPattern(text: string, from: number): number {
  let at = from;
  let inClass = false;
  while (at < text.length && text[at] !== '\n') {
    if (text[at] === '\\') at++;
    else if (text[at] === '[') inClass = true;
    else if (text[at] === ']') inClass = false;
    else if (text[at] === '/' && !inClass) break;
    at++;
  }
  at++;
  while (/[a-z]/.test(text[at] ?? '')) at++;
  return at;
}

/** Everything that is imported or loaded by path: from, import(), and workers by `new URL`. */
export function importsOf({ text, code }: Source): Import[] {
  const openings = /\b(?:from|import|import\(|new URL\()\s*(['"])/g;
  return [...code.matchAll(openings)].flatMap((match) => {
    const from = match.index + match[0].length;
    const specifier = text.slice(from, text.indexOf(match[1]!, from));
    const isFile = !match[0].startsWith('new URL') || /^\.{1,2}\/.*\.js$/.test(specifier);
    return isFile ? [{ specifier, line: lineAt(text, match.index) }] : [];
  });
}

export function blocksOf({ code }: Source): Block[] {
  const open: { at: number; head: string }[] = [];
  const blocks: Block[] = [];
  let headFrom = 0;
  for (let at = 0; at < code.length; at++) {
    const char = code[at];
    if (char === '{') {
      open.push({ at, head: code.slice(headFrom, at).trim() });
      headFrom = at + 1;
    } else if (char === '}') {
      const start = open.pop();
      headFrom = at + 1;
      if (!start) continue;
      const firstLine = lineAt(code, start.at);
      blocks.push({ firstLine, lastLine: lineAt(code, at), head: start.head });
    } else if (char === ';') headFrom = at + 1;
  }
  return blocks;
}

/** The file that a relative specifier means, `.ts` for `.js`. */
export function resolveImport(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  const parts = from.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/').replace(/\.js$/, '.ts');
}
