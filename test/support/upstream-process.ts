// A scripted upstream in a process of its own, so that it outlives the gateway that a test kills
// and its log is what really happened. Spoken to by JSON lines: commands on stdin, events on
// stdout. Run as a program it is that process; imported it starts one.

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import {
  openScriptedUpstream,
  type Received,
  type UpstreamEvent,
  type UpstreamPlan,
} from './scripted-upstream.js';

type Command =
  | { command: 'plan'; plan: UpstreamPlan }
  | { command: 'enqueue'; plans: UpstreamPlan[] }
  | { command: 'forModel'; model: string; plan: UpstreamPlan }
  | { command: 'release' }
  | { command: 'echo'; token: number };

type Line = UpstreamEvent | { event: 'listening'; port: number } | { event: 'echo'; token: number };

export interface UpstreamProcess {
  port: number;
  url: string;
  /** Each returns once the process has done it. */
  plan(plan: UpstreamPlan): Promise<void>;
  enqueue(...plans: UpstreamPlan[]): Promise<void>;
  forModel(model: string, plan: UpstreamPlan): Promise<void>;
  release(): Promise<void>;
  /** Requests received, as far as the log has come; `sync` brings it up to now. */
  readonly requests: readonly Received[];
  /** Every event with its time, in order. */
  readonly log: readonly UpstreamEvent[];
  sync(): Promise<void>;
  /** Resolves once so many requests have been received. */
  received(count: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startUpstreamProcess(): Promise<UpstreamProcess> {
  const file = fileURLToPath(import.meta.url);
  const child = spawn(process.execPath, ['--import', 'tsx', file, 'serve'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const link = new Link(child);
  await link.until(() => link.port !== 0);
  return link;
}

class Link implements UpstreamProcess {
  port = 0;
  readonly requests: Received[] = [];
  readonly log: UpstreamEvent[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #watchers = new Set<() => void>();
  #tokens = 0;
  #echoed = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once('exit', resolve));
    createInterface({ input: child.stdout! }).on('line', (line) => {
      this.#read(JSON.parse(line) as Line);
      for (const watch of [...this.#watchers]) watch();
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  plan(plan: UpstreamPlan): Promise<void> {
    return this.#do({ command: 'plan', plan });
  }

  enqueue(...plans: UpstreamPlan[]): Promise<void> {
    return this.#do({ command: 'enqueue', plans });
  }

  forModel(model: string, plan: UpstreamPlan): Promise<void> {
    return this.#do({ command: 'forModel', model, plan });
  }

  release(): Promise<void> {
    return this.#do({ command: 'release' });
  }

  async sync(): Promise<void> {
    const token = ++this.#tokens;
    this.#send({ command: 'echo', token });
    await this.until(() => this.#echoed >= token);
  }

  received(count: number): Promise<void> {
    return this.until(() => this.requests.length >= count);
  }

  async stop(): Promise<void> {
    this.#child.stdin?.end();
    await this.#exited;
  }

  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => {
      const watch = () => {
        if (!condition()) return;
        this.#watchers.delete(watch);
        resolve();
      };
      this.#watchers.add(watch);
    });
  }

  async #do(command: Command): Promise<void> {
    this.#send(command);
    await this.sync();
  }

  #send(command: Command): void {
    this.#child.stdin!.write(`${JSON.stringify(command)}\n`);
  }

  #read(line: Line): void {
    if (line.event === 'listening') {
      this.port = line.port;
      return;
    }
    if (line.event === 'echo') {
      this.#echoed = line.token;
      return;
    }
    this.log.push(line);
    if (line.event === 'received') {
      this.requests[line.request.id] = line.request;
      return;
    }
    const request = this.requests[line.id]!;
    request.bytesWritten = line.bytesWritten;
    if (line.event === 'closed') {
      request.complete = line.complete;
      request.closedAtMs = line.atMs;
    }
  }
}

async function serve(): Promise<void> {
  const say = (line: Line) => process.stdout.write(`${JSON.stringify(line)}\n`);
  const upstream = await openScriptedUpstream(say);
  say({ event: 'listening', port: upstream.port });
  const commands = createInterface({ input: process.stdin });
  commands.on('line', (line) => {
    const command = JSON.parse(line) as Command;
    if (command.command === 'plan') upstream.plan(command.plan);
    else if (command.command === 'enqueue') upstream.enqueue(...command.plans);
    else if (command.command === 'forModel') upstream.forModel(command.model, command.plan);
    else if (command.command === 'release') upstream.release();
    else say({ event: 'echo', token: command.token });
  });
  commands.on('close', () => void upstream.close());
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv[2] === 'serve') {
  await serve();
}
