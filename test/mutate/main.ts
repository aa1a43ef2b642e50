// `npm run mutate`: makes every mutant of the Lua and runs all that Redis guarantees against each.
// A mutant that lives is a guarantee that nobody tests. `--sample N --seed S` tries a fixed few,
// `--file reap,parts` some files, `--part 1/2` every second one, `--list` only counts.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { realClock } from '#src/drivers/clock.js';
import { openRedis } from '#src/drivers/redis.js';
import { loadScripts } from '#src/drivers/scripts.js';
import { randomFrom } from '../contract/redis/histories.js';
import { type Server, startRedis } from '../support/programs.js';
import { EQUIVALENT } from './equivalent.js';
import { type Mutant, mutantsOf } from './mutants.js';
import { allTrials, scriptsWith, tryScripts } from './trial.js';

const LUA = join(import.meta.dirname, '..', '..', 'lua');

const { values } = parseArgs({
  options: {
    sample: { type: 'string' },
    seed: { type: 'string', default: '1' },
    file: { type: 'string' },
    part: { type: 'string', default: '1/1' },
    list: { type: 'boolean', default: false },
  },
});

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const nameOf = ({ file, line, change }: Mutant): string => `${file}:${line} ${change}`;

function wanted(): Mutant[] {
  const files = readdirSync(LUA, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.lua'))
    .filter((name) => !values.file || values.file.split(',').some((part) => name.includes(part)))
    .sort();
  const all = files.flatMap((file) => mutantsOf(file, readFileSync(join(LUA, file), 'utf8')));
  const open = all.filter((mutant) => !isEquivalent(mutant));
  const [part = 1, parts = 1] = values.part.split('/').map(Number);
  if (!values.sample) return open.filter((_mutant, i) => i % parts === part - 1);
  const random = randomFrom(Number(values.seed));
  const count = Math.min(Number(values.sample), open.length);
  return Array.from({ length: count }, () => open.splice(random(open.length), 1)[0]!);
}

function isEquivalent(mutant: Mutant): boolean {
  const source = readFileSync(join(LUA, mutant.file), 'utf8').split('\n')[mutant.line - 1] ?? '';
  return EQUIVALENT.some(
    ({ file, code, change }) =>
      mutant.file === file && source.includes(code) && mutant.change === change,
  );
}

async function main(): Promise<number> {
  const mutants = wanted();
  say(`${mutants.length} mutants, ${EQUIVALENT.length} known to be equivalent`);
  if (values.list) return 0;
  const folder = mkdtempSync(join(tmpdir(), 'purser-mutate-'));
  const server = await startRedis(join(folder, 'redis'));
  const redis = openRedis({ urls: [server.url], clock: realClock, commandTimeoutMs: 10_000 });
  await redis.ready(10_000);
  const trials = allTrials();
  const survivors: string[] = [];
  try {
    const sound = await tryScripts(server.url, loadScripts(), trials);
    if (sound.killedBy) {
      say(`without any mutant this fails: ${sound.killedBy}: ${sound.why}`);
      return 1;
    }
    for (const [i, mutant] of mutants.entries()) {
      const startedMs = performance.now();
      const verdict = await verdictOn(server, folder, mutant);
      const took = `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
      if (verdict.killedBy) promote(verdict.killedBy);
      else survivors.push(nameOf(mutant));
      const end = verdict.killedBy ? `killed by: ${verdict.killedBy}` : 'SURVIVED';
      say(`${i + 1}/${mutants.length} ${took} ${nameOf(mutant)}: ${end}`);
      // What trials leave behind would make the next ones slower and slower.
      await redis.command('flushall');
    }
  } finally {
    await redis.close();
    await server.kill();
    rmSync(folder, { recursive: true, force: true });
  }
  say(`${mutants.length - survivors.length} killed, ${survivors.length} survived`);
  for (const name of survivors) say(`  ${name}`);
  return survivors.length === 0 ? 0 : 1;

  // What has just killed one is the likeliest to kill the next, which is its neighbour.
  function promote(name: string): void {
    const at = trials.findIndex((trial) => trial.name === name);
    trials.unshift(...trials.splice(at, 1));
  }

  async function verdictOn(at: Server, own: string, mutant: Mutant) {
    try {
      return await tryScripts(at.url, scriptsWith(LUA, join(own, 'lua'), mutant), trials);
    } catch (error) {
      return { killedBy: 'loading', why: String(error) };
    }
  }
}

process.exitCode = await main();
