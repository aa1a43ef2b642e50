// Where configuration comes from: the YAML file with its `${VAR:-default}`, the environment and
// the flags, laid over each other into one tree that remembers what each value came from.

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Document, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import { type ConfigProblem, type Path, spellPath } from './config-problems.js';

export type Environment = Readonly<Record<string, string | undefined>>;
export type Flags = Readonly<Record<string, string | undefined>>;

/** A setting that the environment or a flag may give; the first variable that is set wins. */
interface Setting {
  path: readonly string[];
  variables: readonly string[];
  flag?: string;
}

const SETTINGS: readonly Setting[] = [
  { path: ['listen', 'host'], variables: ['PURSER_HOST'], flag: 'host' },
  { path: ['listen', 'port'], variables: ['PURSER_PORT', 'PORT'], flag: 'port' },
  { path: ['operator_listen', 'host'], variables: ['PURSER_OPERATOR_HOST'] },
  { path: ['operator_listen', 'port'], variables: ['PURSER_OPERATOR_PORT'] },
  { path: ['data_dir'], variables: ['PURSER_DATA_DIR'], flag: 'data-dir' },
  { path: ['database_url'], variables: ['DATABASE_URL'] },
  { path: ['redis_url'], variables: ['REDIS_URL'] },
  { path: ['admin_key'], variables: ['PURSER_ADMIN_KEY'] },
  { path: ['key_pepper'], variables: ['PURSER_KEY_PEPPER'] },
  { path: ['mode'], variables: ['PURSER_MODE'], flag: 'mode' },
  { path: ['workers'], variables: ['PURSER_WORKERS'], flag: 'workers' },
  { path: ['providers', 'sandbox'], variables: ['PURSER_SANDBOX'] },
  { path: ['log', 'level'], variables: ['PURSER_LOG_LEVEL'], flag: 'log-level' },
];
const OTHER_VARIABLES = ['PURSER_CONFIG', 'PURSER_CRASH_AT'];

/** Every `PURSER_*` variable that means something. */
export const KNOWN_VARIABLES: readonly string[] = [
  ...SETTINGS.flatMap((setting) => setting.variables.flatMap((name) => [name, `${name}_FILE`])),
  ...OTHER_VARIABLES,
];

// Private letters of Unicode around the number of a reference.
const MARK_OPEN = '\ue000';
const MARK_CLOSE = '\ue001';
const MARKED = /\ue000(\d+)\ue001/g;

type Tree = { [key: string]: unknown };

export class ConfigSource {
  readonly tree: Tree;
  readonly problems: ConfigProblem[] = [];
  readonly #env: Environment;
  readonly #cwd: string;
  readonly #from = new Map<string, string>();
  readonly #variables = new Map<string, string>();
  readonly #document: Document.Parsed;
  readonly #lines = new LineCounter();
  readonly #references: string[] = [];

  constructor(input: { file: string; text: string; env: Environment; flags: Flags; cwd: string }) {
    this.#env = input.env;
    this.#cwd = input.cwd;
    this.#document = parseDocument(this.#maskReferences(input.text), { lineCounter: this.#lines });
    // One broken bracket makes an error of everything behind it: the first says enough.
    const [error] = this.#document.errors;
    if (error !== undefined) {
      const line = this.#lines.linePos(error.pos[0]).line;
      const message = error.message.replace(/ at line [\s\S]*$/, '');
      this.#add([], `line ${line}`, `is no YAML: ${message}`, 'Mend the file there');
    }
    if (error === undefined) this.#fillIn();
    const root: unknown = error === undefined ? this.#document.toJS() : {};
    this.tree = (root ?? {}) as Tree;
    if (typeof this.tree !== 'object' || Array.isArray(this.tree)) {
      this.#add([], '', 'is no mapping of keys', 'Begin it with a key such as `listen:`');
      this.tree = {};
    }
    this.#readSecretFiles(this.tree, [], dirname(input.file));
    for (const setting of SETTINGS) this.#override(setting, input.flags);
  }

  /** The variable, else the content of the file that `<name>_FILE` names; empty is unset. */
  variable(name: string): string | undefined {
    const value = this.#env[name];
    if (value !== undefined && value !== '') return value;
    const path = this.#env[`${name}_FILE`];
    return path ? this.#readSecret(resolve(this.#cwd, path), [], `${name}_FILE`) : undefined;
  }

  /** `line 12`, `PORT`, `--port`: what gave the value at the path, or the section around it. */
  fromOf = (path: Path): string => {
    const own = this.#from.get(spellPath(path));
    if (own !== undefined) return own;
    for (let length = path.length; length > 0; length--) {
      const node = this.#document.getIn(path.slice(0, length), true) as
        | { range?: [number, number, number] | null }
        | undefined;
      if (node?.range) return `line ${this.#lines.linePos(node.range[0]).line}`;
    }
    return '';
  };

  /** The variable that the value at the path was filled in from, set or not. */
  variableAt(path: Path): string | undefined {
    return this.#variables.get(spellPath(path));
  }

  #add(path: Path, from: string, message: string, remedy: string): void {
    this.problems.push({ path: spellPath(path), from, message, remedy });
  }

  // `{ api_key: ${NAME:-} }` is no YAML, because a plain text in braces may hold none. So each
  // reference is a mark of harmless letters while the file is parsed.
  #maskReferences(text: string): string {
    return text.replace(/\$\$\{|\$\{[^}\n]*\}/g, (reference) => {
      this.#references.push(reference);
      return `${MARK_OPEN}${this.#references.length - 1}${MARK_CLOSE}`;
    });
  }

  #fillIn(): void {
    visit(this.#document, {
      Scalar: (key, node, parents) => {
        if (typeof node.value !== 'string' || !node.value.includes(MARK_OPEN)) return;
        const path = pathOf(key, parents);
        node.value = node.value.replace(MARKED, (_, index: string) => {
          const reference = this.#references[Number(index)] ?? '';
          return key === 'key' ? reference : this.#expand(reference, path);
        });
      },
    });
  }

  #expand(reference: string, path: Path): string {
    if (reference === '$${') return '${';
    const match = /^\$\{([A-Za-z_]\w*)(?::-(.*))?\}$/.exec(reference);
    const name = match?.[1];
    if (name === undefined) {
      const remedy = 'Write a name in the braces, and a default after `:-`';
      this.#add(path, this.fromOf(path), `has ${reference}`, remedy);
      return '';
    }
    this.#variables.set(spellPath(path), name);
    const value = this.variable(name) ?? match?.[2];
    if (value !== undefined) return value;
    const remedy = `Set ${name}, or give a default: \${${name}:-default}`;
    this.#add(path, this.fromOf(path), `needs the variable ${name}, which is not set`, remedy);
    return '';
  }

  /** `api_key_file: path` becomes `api_key: <what is in it>`, anywhere in the tree. */
  #readSecretFiles(tree: Tree, path: Path, folder: string): void {
    for (const [key, value] of Object.entries(tree)) {
      const here = [...path, key];
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
        this.#readSecretFiles(value as Tree, here, folder);
      }
      const secret = /^(api_key|admin_key|key_pepper|database_url|redis_url)_file$/.exec(key)?.[1];
      if (secret === undefined || typeof value !== 'string' || value === '') continue;
      if (tree[secret] !== undefined && tree[secret] !== '') {
        this.#add(here, this.fromOf(here), `is given beside \`${secret}\``, 'Keep one of the two');
        continue;
      }
      const content = this.#readSecret(resolve(folder, value), here, this.fromOf(here));
      if (content !== undefined) tree[secret] = content;
    }
  }

  #readSecret(file: string, path: Path, from: string): string | undefined {
    try {
      return readFileSync(file, 'utf8').trim();
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? String(error);
      this.#add(path, from, `names ${file}, which cannot be read (${code})`, 'Mend the path');
      return undefined;
    }
  }

  #override({ path, variables, flag }: Setting, flags: Flags): void {
    const given = flag === undefined ? undefined : flags[flag];
    if (given !== undefined) {
      this.#set(path, given, `--${flag}`);
      return;
    }
    const name = variables.find((one) => this.variable(one) !== undefined);
    if (name !== undefined) this.#set(path, this.variable(name) ?? '', name);
  }

  #set(path: readonly string[], value: string, from: string): void {
    let here = this.tree;
    for (const part of path.slice(0, -1)) {
      if (here[part] === undefined || here[part] === null) here[part] = {};
      // A section that is no mapping is the schema's to refuse.
      if (typeof here[part] !== 'object') return;
      here = here[part] as Tree;
    }
    here[path.at(-1)!] = value;
    this.#from.set(spellPath(path), from);
  }
}

function pathOf(key: unknown, parents: readonly unknown[]): Path {
  const path: PropertyKey[] = [];
  for (const [index, parent] of parents.entries()) {
    const child = parents[index + 1];
    const pair = parent as { key?: unknown; items?: readonly unknown[] };
    if (isScalar(pair.key)) path.push(pair.key.value as string);
    else if (pair.items && child !== undefined && !isPair(child))
      path.push(pair.items.indexOf(child));
  }
  if (typeof key === 'number') path.push(key);
  return path;
}

function isPair(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'key' in value;
}
