// The log: one JSON object a line for machines, one short line for people at a terminal. Whatever
// is said, a registered secret never leaves through here: lines are searched for the values
// themselves, so it does not matter in which field or message one was hidden. A line is put
// together by one JSON.stringify, that of a call comes as JSON; they are gathered before they are
// written.

import { destination } from 'pino';
import { isJsonObject, parseJson } from '../core/json.js';
import { type Log, type LogFields, LogMembers } from '../core/log.js';
import { quoted } from '../core/quoted.js';
import { realClock } from './clock.js';

export interface LogOptions {
  level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** One-liners for people instead of JSON. */
  pretty: boolean;
  secrets?: readonly string[];
  /** Where lines go; standard output if absent. */
  write?: (line: string) => void;
}

export interface OpenLog extends Log {
  /** From now on this value is masked in every line. Values under 8 characters are not. */
  addSecret(secret: string): void;
  /** Writes out what is buffered; for the end of the program. */
  flush(): void;
}

const MASK = '[redacted]';
const SECRET_LENGTH_MIN = 8;
const OWN_KEY = /sk-purser-([0-9A-Za-z]{12})-[0-9A-Za-z]{38}/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: client text must not steer a terminal
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;
const LEVELS = { debug: 20, info: 30, warn: 40, error: 50, silent: 60 } as const;
const LEVEL_NAMES: Record<number, string> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error' };
/** How long a line of no urgency may wait for others, and how much may. */
const GATHER_MS = 20;
const GATHER_CHARS = 16 * 1024;

type Level = Exclude<keyof typeof LEVELS, 'silent'>;

export function openLog(options: LogOptions): OpenLog {
  const secrets = new Set<string>();
  const addSecret = (secret: string) => {
    if (secret.length < SECRET_LENGTH_MIN) return;
    secrets.add(secret);
    // Inside JSON a quote or a backslash of the secret has another look.
    secrets.add(JSON.stringify(secret).slice(1, -1));
  };
  for (const secret of options.secrets ?? []) addSecret(secret);

  const out = options.write ? undefined : openOut();
  const writeLine = options.write ?? ((line: string, level: Level) => out?.write(line, level));
  const say = (level: Level) => {
    if (LEVELS[level] < LEVELS[options.level]) return () => {};
    const head = `{"level":${LEVELS[level]},"time":`;
    return (fields: LogFields | LogMembers, message: string) => {
      const members = `${realClock.nowMs()},${membersOf(fields)}"msg":${quoted(message)}`;
      const text = `${head}${members}}\n`;
      const clean = mask(text, secrets);
      writeLine(options.pretty ? prettyLine(clean) : clean, level);
    };
  };
  return {
    debug: say('debug'),
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    addSecret,
    flush: () => out?.flush(),
  };
}

/** Standard output, written beside the loop: what is wrong at once, the rest together. */
function openOut() {
  const out = destination({ fd: 1, sync: false });
  let gathered = '';
  let isDue = false;
  const handOver = (): void => {
    if (gathered === '') return;
    const text = gathered;
    gathered = '';
    out.write(text);
  };
  return {
    write(line: string, level: Level): void {
      gathered += line;
      if (LEVELS[level] >= LEVELS.warn || gathered.length >= GATHER_CHARS) handOver();
      else if (!isDue) {
        isDue = true;
        setTimeout(() => {
          isDue = false;
          handOver();
        }, GATHER_MS).unref();
      }
    },
    flush(): void {
      handOver();
      out.flushSync();
    },
  };
}

/** The members of a line with a comma behind them; empty where there are none. */
function membersOf(fields: LogFields | LogMembers): string {
  if (fields instanceof LogMembers) return `${fields.text},`;
  let plain = fields;
  for (const name in fields) {
    if (fields[name] instanceof Error) plain = { ...plain, [name]: errorFields(fields[name]) };
  }
  const text = jsonOf(plain);
  return text.length > 2 ? `${text.slice(1, -1)},` : '';
}

// A line that cannot be written would hide what it is about.
function jsonOf(fields: LogFields): string {
  try {
    return JSON.stringify(fields);
  } catch {
    const readable = Object.entries(fields).map(([name, value]) => [name, String(value)]);
    return JSON.stringify(Object.fromEntries(readable));
  }
}

function mask(line: string, secrets: ReadonlySet<string>): string {
  let clean = line.includes('sk-purser-') ? line.replace(OWN_KEY, `sk-purser-$1-${MASK}`) : line;
  for (const secret of secrets) {
    if (clean.includes(secret)) clean = clean.replaceAll(secret, MASK);
  }
  return clean;
}

function errorFields(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, stack, cause } = error;
  return { name, message, stack, ...(cause ? { cause: errorFields(cause) } : {}) };
}

/** `09:41:07 warn  the ledger is slow  ms=120`. */
function prettyLine(line: string): string {
  const entry = parseJson(line);
  if (!isJsonObject(entry)) return line;
  const { time, level, msg, ...fields } = entry;
  const clock = new Date(Number(time)).toISOString().slice(11, 19);
  const name = LEVEL_NAMES[Number(level)] ?? String(level);
  const rest = Object.entries(fields)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
  const text = `${clock} ${name.padEnd(5)} ${String(msg ?? '')}${rest ? `  ${rest}` : ''}`;
  return `${text.replace(CONTROL, (control) => JSON.stringify(control).slice(1, -1))}\n`;
}
