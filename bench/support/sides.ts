// The sides of a comparison, each started fresh and pinned to core 0: nothing at all (a direct
// call), nginx, a bare proxy in Node, Purser in several shapes, and the peer that npm has. One that
// this machine cannot have is named with the reason.

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import { freePort, type Server, startPostgres, startRedis } from '../../test/support/programs.js';
import { cpuUs, type Program, pin, rssBytes, startProgram } from './processes.js';
import { type GatewayShape, gatewayConfig, readMetric } from './purser.js';
import { LOAD_CORE, SIDE_CORE } from './tools.js';

export interface Side {
  name: string;
  port: number;
  path: string;
  headers: Record<string, string>;
  /** Undefined where nobody stands between. */
  pid: number | undefined;
  /** Its main thread is an event loop. */
  isNode: boolean;
  /** With what belongs to it on other cores left out. */
  cpuUs(): number;
  rssBytes(): number;
  /** Of its Redis and its PostgreSQL, where it has them. */
  otherCpuUs(): number;
  /** A gauge that it tells of itself; undefined where it tells nothing. */
  metric(name: string): Promise<number | undefined>;
  /** Stands still, timers and all, until it is to go on: it takes nothing of its core then. */
  pause(still: boolean): void;
  stop(): Promise<void>;
}

export interface Skipped {
  name: string;
  skipped: string;
}

export interface Place {
  folder: string;
  upstreamPort: number;
}

export type Start = (place: Place) => Promise<Side | Skipped>;

const HERE = import.meta.dirname;
/** Of Node, as `npm start` gives them. */
const START_FLAGS = packageJson.scripts.start.match(/--[\w-]+=\d+/g) ?? [];
const PATH = '/v1/chat/completions';

let count = 0;
const ownFolder = ({ folder }: Place): string => {
  const own = join(folder, `side-${++count}`);
  mkdirSync(own, { recursive: true });
  return own;
};

function sideOf(name: string, port: number, program: Program, more: Partial<Side> = {}): Side {
  return {
    ...{ name, port, path: PATH, headers: { authorization: 'Bearer none' } },
    ...{ pid: program.pid, isNode: name !== 'nginx' },
    cpuUs: () => cpuUs(program.pid),
    rssBytes: () => rssBytes(program.pid),
    otherCpuUs: () => 0,
    metric: async () => undefined,
    pause: (still) => void program.child.kill(still ? 'SIGSTOP' : 'SIGCONT'),
    stop: () => program.stop(),
    ...more,
  };
}

export const direct: Start = async ({ upstreamPort }) => ({
  ...{ name: 'direct', port: upstreamPort, path: PATH, headers: {} },
  ...{ pid: undefined, isNode: false },
  ...{ cpuUs: () => 0, rssBytes: () => 0, otherCpuUs: () => 0 },
  metric: async () => undefined,
  pause: () => undefined,
  stop: async () => undefined,
});

export const bareProxy: Start = async ({ upstreamPort }) => {
  const program = await startProgram(
    [process.execPath, join(HERE, 'bare-proxy.mjs'), `${upstreamPort}`],
    { core: SIDE_CORE, until: /^\d+$/ },
  );
  return sideOf('bare proxy', Number(program.line), program);
};

export const nginx: Start = async (place) => {
  try {
    execFileSync('nginx', ['-v'], { stdio: 'ignore' });
  } catch {
    return { name: 'nginx', skipped: 'not on this machine (Debian: apt-get install nginx-light)' };
  }
  const folder = ownFolder(place);
  const port = await freePort();
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, nginxConfig(folder, port, place.upstreamPort));
  // It prints nothing; the shell does, once its worker listens.
  const program = await startProgram(
    ['sh', '-c', `echo starting; exec nginx -p ${folder} -e ${folder}/error.log -c ${file}`],
    { core: SIDE_CORE, until: /^starting$/ },
  );
  await listening(port);
  return sideOf('nginx', port, program);
};

function nginxConfig(folder: string, port: number, upstreamPort: number): string {
  const root = process.getuid?.() === 0 ? 'user root;\n' : '';
  return `${root}daemon off; worker_processes 1; worker_rlimit_nofile 20000;
pid ${folder}/pid; error_log ${folder}/error.log crit;
events { worker_connections 19900; multi_accept on; }
http {
  access_log off; keepalive_requests 100000000; client_max_body_size 32m;
  client_body_buffer_size 1m; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  upstream models {
    server 127.0.0.1:${upstreamPort}; keepalive 256; keepalive_requests 100000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://models; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
`;
}

async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: '{}' }).catch(
      () => undefined,
    );
    await response?.arrayBuffer();
    if (response) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`nothing listens on ${port}`);
}

export function purser(name: string, shape: GatewayShape = {}): Start {
  return async (place) => {
    const folder = ownFolder(place);
    const redis = shape.redis ? await startRedis(join(folder, 'redis'), AS_COMPOSED) : undefined;
    const postgres = shape.postgres ? await startRows(place, folder) : undefined;
    const others = [redis, postgres].filter((one) => one !== undefined);
    for (const { pid } of others) pin(pid, LOAD_CORE);
    const file = join(folder, 'gateway.yaml');
    writeFileSync(file, gatewayConfig(place.upstreamPort, shape));
    const program = await startProgram(
      [process.execPath, ...START_FLAGS, join(HERE, '../../dist/main.js'), 'start'],
      {
        ...{ core: shape.cores ?? SIDE_CORE, until: /Next:/, cwd: folder },
        env: {
          ...{ PURSER_CONFIG: file, PURSER_DATA_DIR: join(folder, 'data'), PORT: '0' },
          ...{ REDIS_URL: redis?.url ?? '', DATABASE_URL: postgres?.url ?? '' },
        },
      },
    );
    const key = /sk-purser-\w{12}-\w{38}/.exec(program.printed)?.[0] ?? '';
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(program.printed)?.[1] ?? 0);
    return sideOf(name, port, program, {
      headers: { authorization: `Bearer ${key}` },
      otherCpuUs: () => others.reduce((sum, { pid }) => sum + cpuUs(pid), 0),
      metric: (wanted) => readMetric(port, wanted),
      async stop() {
        await program.stop();
        for (const one of others) await one.stop();
      },
    });
  };
}

// PostgreSQL's own user must be able to reach its folder.
function startRows(place: Place, folder: string): Promise<Server> {
  for (const above of [place.folder, folder]) chmodSync(above, 0o711);
  return startPostgres(join(folder, 'postgres'));
}

// As compose.yaml has it.
const AS_COMPOSED = ['--appendonly', 'yes', '--appendfsync', 'everysec'];

/** Its newest version, into a folder that goes with the bench. */
export const portkey: Start = async (place) => {
  const name = 'portkey';
  const folder = join(place.folder, 'portkey');
  const npm = ['i', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund'];
  try {
    mkdirSync(folder, { recursive: true });
    execFileSync('npm', [...npm, '@portkey-ai/gateway'], { stdio: 'pipe', timeout: 60_000 });
  } catch (error) {
    return {
      name,
      skipped: `npm could not install it (${(error as Error).message.split('\n')[0]})`,
    };
  }
  const port = await freePort();
  const server = join(folder, 'node_modules/@portkey-ai/gateway/build/start-server.js');
  try {
    const program = await startProgram([process.execPath, server, `--port=${port}`, '--headless'], {
      core: SIDE_CORE,
      until: /./,
      env: { TRUSTED_CUSTOM_HOSTS: '127.0.0.1,localhost' },
    });
    await listening(port);
    return sideOf(name, port, program, {
      headers: {
        authorization: 'Bearer none',
        'x-portkey-provider': 'openai',
        'x-portkey-custom-host': `http://127.0.0.1:${place.upstreamPort}/v1`,
      },
    });
  } catch (error) {
    return { name, skipped: `it does not start (${(error as Error).message.split('\n')[0]})` };
  }
};

/** Starts them one after another; answers those that are here, and why the others are not. */
export async function startSides(
  starts: readonly Start[],
  place: Place,
  told: (text: string) => void,
): Promise<{ sides: Side[]; remarks: string[] }> {
  const sides: Side[] = [];
  const remarks: string[] = [];
  try {
    for (const start of starts) {
      const side = await start(place);
      if ('skipped' in side) remarks.push(`${side.name} is skipped: ${side.skipped}`);
      else sides.push(side);
      told(`${side.name}: ${'skipped' in side ? 'skipped' : 'started'}`);
    }
  } catch (error) {
    await stopSides(sides);
    throw error;
  }
  return { sides, remarks };
}

export async function stopSides(sides: readonly Side[]): Promise<void> {
  for (const side of sides) side.pause(false);
  for (const side of [...sides].reverse()) await side.stop();
}
