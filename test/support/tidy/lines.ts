// The look of each file: its size, the size of its functions, its head, its names, and calls that
// have a better home.

import { blocksOf, lineAt, type Source } from './source.js';

const FILE_LINES_MAX = 300;
const FUNCTION_LINES_MAX = 60;
const COLUMNS_MAX = 100;
const HEAD_LINES_MAX = 6;

export function sizeFindings(source: Source): string[] {
  const lines = source.text.trimEnd().split('\n');
  const findings: string[] = [];
  if (lines.length > FILE_LINES_MAX) {
    findings.push(`${source.path} has ${lines.length} lines, over ${FILE_LINES_MAX}: split it`);
  }
  for (const [index, line] of lines.entries()) {
    // The line that names the interpreter cannot be broken.
    if (line.length > COLUMNS_MAX && !(index === 0 && line.startsWith('#!'))) {
      findings.push(`${source.path}:${index + 1} has ${line.length} columns, over ${COLUMNS_MAX}`);
    }
  }
  for (const { firstLine, lastLine, head } of blocksOf(source)) {
    const length = lastLine - firstLine + 1;
    if (length <= FUNCTION_LINES_MAX || isNoFunction(head)) continue;
    findings.push(
      `${source.path}:${firstLine} has a function of ${length} lines, over ${FUNCTION_LINES_MAX}`,
    );
  }
  return findings;
}

// Classes, types, literals and lists of names may be long. What is left is the body of a function,
// or a block inside of one that is too long as well.
function isNoFunction(head: string): boolean {
  if (head.endsWith('=>')) return false;
  if (/[=(,:[|&<?]$/.test(head) || /\b(return|import|export|default|type|satisfies)$/.test(head)) {
    return true;
  }
  return (
    /(^|\s)(class|interface|enum|namespace)\s[^()]*$/.test(head) || /\bimport type$/.test(head)
  );
}

export function headFindings({ path, text }: Source): string[] {
  const lines = text.split('\n');
  const first = lines[0]?.startsWith('#!') ? 1 : 0;
  let last = first;
  while (lines[last]?.startsWith('//')) last++;
  const count = lines.slice(first, last).filter((line) => line !== '//').length;
  if (count === 0) return [`${path} does not begin with a comment that says its job`];
  if (count > HEAD_LINES_MAX) return [`${path} begins with ${count} lines, over ${HEAD_LINES_MAX}`];
  return [];
}

interface Ban {
  pattern: RegExp;
  instead: string;
  /** Where it is at home. */
  except?: RegExp;
  /** Looked for in comments and texts too. */
  everywhere?: true;
}

const CLOCK = /^src\/drivers\/clock\.ts$/;
const BANS: readonly Ban[] = [
  { pattern: /\bDate\.now\(/g, instead: 'take a Clock (core/clock.ts)', except: CLOCK },
  { pattern: /\bnew Date\(\s*\)/g, instead: 'take a Clock (core/clock.ts)', except: CLOCK },
  { pattern: /\bperformance\.now\(/g, instead: 'take a Clock (core/clock.ts)', except: CLOCK },
  {
    pattern: /\bprocess\.env\b/g,
    instead: 'take it from the configuration (config.ts)',
    except: /^src\/(config|main)\.ts$/,
  },
  {
    pattern: /\bJSON\.parse\(/g,
    instead: 'parseJson or parseOwnJson (core/json.ts)',
    except: /^src\/core\/json\.ts$/,
  },
  {
    pattern: /\bMath\.random\b/g,
    instead: 'randomBase62 or uuidV7 (core/id.ts)',
    except: /^src\/core\/id\.ts$/,
  },
  { pattern: /\bconsole\./g, instead: 'the log (drivers/log.ts), or the printer of the CLI' },
  { pattern: /\bas any\b/g, instead: 'unknown and a check' },
  { pattern: /\bparseFloat\b/g, instead: 'parseUsd (core/money.ts), or Number for a ratio' },
  { pattern: /\bexport default\b/g, instead: 'a named export' },
  { pattern: /\bcatch\s*(\([^)]*\))?\s*\{\s*\}/g, instead: 'handle it, or let it pass' },
  { pattern: /@ts-(ignore|nocheck|expect-error)/g, instead: 'mend the type', everywhere: true },
  { pattern: /\b(TO[D]O|FIX[M]E|X[X]X)\b/g, instead: 'do it, or open an issue', everywhere: true },
];

export function banFindings({ path, text, code }: Source): string[] {
  return BANS.filter((ban) => !ban.except?.test(path)).flatMap((ban) =>
    [...(ban.everywhere ? text : code).matchAll(ban.pattern)].map((match) => {
      const found = match[0].replace(/\s+/g, ' ');
      return `${path}:${lineAt(text, match.index)} has ${found}: instead ${ban.instead}`;
    }),
  );
}

const VAGUE = /^(managers?|services?|utils?|utilities|helpers?|common|misc|data|infos?|process)$/i;

/** File names, and names declared at the left edge: what other files get to see. */
export function nameFindings({ path, code }: Source): string[] {
  const findings = path
    .replace(/\.\w+$/, '')
    .split(/[/.-]/)
    .filter((word) => VAGUE.test(word))
    .map((word) => `${path} has the word ${word} in its name`);
  const declared =
    /^(?:export )?(?:async )?(?:const|let|function|class|interface|type|enum) (\w+)/gm;
  for (const match of code.matchAll(declared)) {
    const words = match[1]!.split(/(?=[A-Z][a-z])|_/);
    const vague = words.find((word) => VAGUE.test(word));
    if (vague === undefined) continue;
    findings.push(`${path}:${lineAt(code, match.index)} ${match[1]} has the word ${vague}`);
  }
  return findings;
}
