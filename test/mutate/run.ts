// Tries mutants one after the other on a Redis of its own.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { realClock } from '#src/drivers/clock.js';
import { openRedis } from '#src/drivers/redis.js';
import { loadScripts } from '#src/drivers/scripts.js';
import { startRedis } from '../support/programs.js';
import type { Mutant } from './mutants.js';
import { LUA } from './pick.js';
import { allTrials, scriptsWith, tryScripts, type Verdict } from './trial.js';

/** Answers those that lived. Throws where a guarantee fails without any mutant. */
export async function tryMutants(
  mutants: readonly Mutant[],
  tell: (mutant: Mutant, verdict: Verdict, tookMs: number) => void,
): Promise<Mutant[]> {
  const folder = mkdtempSync(join(tmpdir(), 'purser-mutate-'));
  const server = await startRedis(join(folder, 'redis'));
  const redis = openRedis({ urls: [server.url], clock: realClock, commandTimeoutMs: 10_000 });
  const trials = allTrials();
  const survivors: Mutant[] = [];
  try {
    await redis.ready(10_000);
    const sound = await tryScripts(server.url, loadScripts(), trials);
    if (sound.killedBy) {
      throw new Error(`without any mutant this fails: ${sound.killedBy}: ${sound.why}`);
    }
    for (const mutant of mutants) {
      const startedMs = performance.now();
      const verdict = await verdictOn(mutant);
      if (verdict.killedBy) promote(verdict.killedBy);
      else survivors.push(mutant);
      tell(mutant, verdict, performance.now() - startedMs);
      // What trials leave behind would make the next ones slower and slower.
      await redis.command('flushall');
    }
    return survivors;
  } finally {
    await redis.close();
    await server.kill();
    rmSync(folder, { recursive: true, force: true });
  }

  // What has just killed one is the likeliest to kill the next, which is its neighbour.
  function promote(name: string): void {
    const at = trials.findIndex((trial) => trial.name === name);
    if (at >= 0) trials.unshift(...trials.splice(at, 1));
  }

  async function verdictOn(mutant: Mutant): Promise<Verdict> {
    try {
      const scripts = scriptsWith(LUA, join(folder, 'lua'), mutant);
      return await tryScripts(server.url, scripts, trials);
    } catch (error) {
      return { killedBy: 'loading', why: String(error) };
    }
  }
}
