// What stands between one gateway and Redis: carries commands and replies, tells of every one of
// them, and on demand loses a reply (the connection breaks instead), carries a command out twice,
// or holds it back until another one has overtaken it. A closed gate lets nobody through.

import { once } from 'node:events';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { type Message, Reader, type Value } from './resp.js';

/** One command that reached Redis, in the order in which its connection carried it out. */
export interface Told {
  gateway: number;
  connection: number;
  command: readonly string[];
  /** Absent: Redis was gone before it answered, and nobody knows whether it acted. */
  reply?: Value;
}

export type WireFault = 'reply lost' | 'delivered twice' | 'delivered late';

export interface ProxyOptions {
  gateway: number;
  redisPort: number;
  told(what: Told): void;
  /** Whether a fault on the wire may strike this command. */
  strikes(command: readonly string[], fault: WireFault): boolean;
  /** Resolves when a command that was held back may come. */
  overtaken(command: readonly string[]): Promise<void>;
  /** Resolves when the reply may reach the client; those after it wait, too. */
  delivered?(command: readonly string[]): Promise<void>;
}

export interface WireProxy {
  url: string;
  /** Strikes the next command that it may strike; resolves when it has. */
  strike(fault: WireFault): Promise<void>;
  /** A closed gate breaks what is open; resolves when all that Redis had to say is told. */
  close(): Promise<void>;
  open(): void;
  end(): Promise<void>;
}

interface Armed {
  fault: WireFault;
  struck: () => void;
}

interface Waiting {
  command: readonly string[];
  isDelivered: boolean;
  isLost?: boolean;
}

const HOST = '127.0.0.1';
let connections = 0;

export async function openProxy(options: ProxyOptions): Promise<WireProxy> {
  const armed: Armed[] = [];
  const links = new Set<Link>();
  let isOpen = true;
  const server: Server = createServer((client) => {
    client.on('error', () => client.destroy());
    if (!isOpen) return void client.destroy();
    const link = new Link(options, client, armed);
    links.add(link);
    void link.ended.then(() => links.delete(link));
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const close = async (): Promise<void> => {
    isOpen = false;
    await Promise.all([...links].map((link) => link.break()));
  };
  return {
    url: `redis://${HOST}:${port}`,
    strike: (fault) => new Promise((struck) => armed.push({ fault, struck })),
    close,
    open() {
      isOpen = true;
    },
    async end() {
      await close();
      server.close();
      await once(server, 'close');
    },
  };
}

class Link {
  readonly ended: Promise<void>;
  readonly #options: ProxyOptions;
  readonly #client: Socket;
  readonly #redis: Socket;
  readonly #armed: Armed[];
  readonly #waiting: Waiting[] = [];
  readonly #number = ++connections;
  #delivery = Promise.resolve();
  #heldBack = 0;
  #clientIsGone = false;

  constructor(options: ProxyOptions, client: Socket, armed: Armed[]) {
    this.#options = options;
    this.#client = client;
    this.#armed = armed;
    this.#redis = dial(options.redisPort, HOST);
    this.#client.setNoDelay(true);
    this.#redis.setNoDelay(true);
    const [commands, replies] = [new Reader(), new Reader()];
    client.on('data', (chunk: Buffer) => {
      for (const message of commands.feed(chunk)) this.#carry(message);
    });
    client.on('close', () => this.#clientLeft());
    this.#redis.on('data', (chunk: Buffer) => {
      for (const message of replies.feed(chunk)) this.#answer(message);
    });
    this.#redis.on('error', () => this.#redis.destroy());
    this.ended = new Promise((resolve) => {
      this.#redis.once('close', () => {
        for (const { command } of this.#waiting.splice(0)) this.#tell(command);
        client.destroy();
        resolve();
      });
    });
  }

  /** The client is cut off; what was sent may still be answered, to nobody. */
  async break(): Promise<void> {
    this.#client.destroy();
    await this.ended;
  }

  #clientLeft(): void {
    this.#clientIsGone = true;
    for (const one of this.#waiting) one.isDelivered = false;
    this.#leave();
  }

  // Redis carries out what has reached it, and so does this: only then it hears of the end.
  #leave(): void {
    if (this.#clientIsGone && this.#heldBack === 0) this.#redis.end();
  }

  #tell(command: readonly string[], reply?: Value): void {
    const { gateway, told } = this.#options;
    const place = { gateway, connection: this.#number, command };
    told(reply === undefined ? place : { ...place, reply });
  }

  #carry({ value, bytes }: Message): void {
    const command = value as string[];
    const at = this.#armed.findIndex(({ fault }) => this.#options.strikes(command, fault));
    const [struck] = at < 0 ? [] : this.#armed.splice(at, 1);
    struck?.struck();
    if (struck?.fault === 'delivered late') return void this.#holdBack(command, bytes);
    this.#send(command, bytes, true, struck?.fault === 'reply lost');
    if (struck?.fault === 'delivered twice') this.#send(command, bytes, false);
  }

  #send(command: readonly string[], bytes: Buffer, isDelivered: boolean, isLost = false): void {
    this.#waiting.push({ command, isDelivered, isLost });
    this.#redis.write(bytes);
  }

  async #holdBack(command: readonly string[], bytes: Buffer): Promise<void> {
    this.#heldBack += 1;
    const own = Buffer.from(bytes);
    this.#client.destroy();
    await this.#options.overtaken(command);
    if (this.#redis.writable) this.#send(command, own, false);
    this.#heldBack -= 1;
    this.#leave();
  }

  #answer({ value, bytes }: Message): void {
    const waiting = this.#waiting.shift();
    if (!waiting) throw new Error('Redis answered what nobody asked.');
    this.#tell(waiting.command, value);
    const { delivered } = this.#options;
    if (!delivered) return this.#deliver(waiting, bytes);
    const own = Buffer.from(bytes);
    this.#delivery = this.#delivery
      .then(() => delivered(waiting.command))
      .then(() => this.#deliver(waiting, own));
  }

  #deliver({ isLost, isDelivered }: Waiting, bytes: Buffer): void {
    if (isLost) this.#client.destroy();
    else if (isDelivered && this.#client.writable) this.#client.write(bytes);
  }
}
