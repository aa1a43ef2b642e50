// `npm run mutate`: makes every mutant of the Lua and runs all that Redis guarantees against each.
// A mutant that lives is a guarantee that nobody tests.

import { execFileSync } from 'node:child_process';
import { readFlags } from '../support/flags.js';
import { EQUIVALENT } from './equivalent.js';
import { filesOf, mutantsIn, nameOf, sampleOf } from './pick.js';
import { type FileResult, writeResults } from './report.js';
import { tryMutants } from './run.js';

const USAGE = `npm run mutate -- [--file a,b] [--part I/N] [--sample N --seed S] [--list] [--write]
  --file    some files of lua/, such as reap,parts
  --part    every Nth mutant, beginning with the Ith
  --sample  a fixed few, drawn by the seed
  --list    only counts them
  --write   keeps the figures of whole files in PROOF.md
`;

const { values } = readFlags(USAGE, {
  options: {
    sample: { type: 'string' },
    seed: { type: 'string', default: '1' },
    file: { type: 'string' },
    part: { type: 'string', default: '1/1' },
    list: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});

const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function main(): Promise<number> {
  if (values.write && (values.sample || values.part !== '1/1')) {
    say('--write is for whole files: not with --sample or --part');
    return 2;
  }
  const files = filesOf(values.file?.split(','));
  const open = mutantsIn(files);
  const [part = 1, parts = 1] = values.part.split('/').map(Number);
  const mutants = values.sample
    ? sampleOf(open, Number(values.sample), Number(values.seed))
    : open.filter((_mutant, i) => i % parts === part - 1);
  say(`${mutants.length} mutants, ${EQUIVALENT.length} known to be equivalent`);
  if (values.list) return 0;
  const commit = commitOf();
  let done = 0;
  const survivors = await tryMutants(mutants, (mutant, { killedBy }, tookMs) => {
    done += 1;
    const end = killedBy ? `killed by: ${killedBy}` : 'SURVIVED';
    const took = `${(tookMs / 1000).toFixed(1)} s`;
    say(`${done}/${mutants.length} ${took} ${nameOf(mutant)}: ${end}`);
  });
  say(`${mutants.length - survivors.length} killed, ${survivors.length} survived`);
  for (const mutant of survivors) say(`  ${nameOf(mutant)}`);
  if (values.write) {
    const results = files.map((file): FileResult => {
      const survived = survivors.filter((mutant) => mutant.file === file).length;
      const tried = mutants.filter((mutant) => mutant.file === file).length;
      return { file, commit, killed: tried - survived, survived };
    });
    await writeResults(results, filesOf());
  }
  return survivors.length === 0 ? 0 : 1;
}

function commitOf(): string {
  const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim();
  const isDirty = git('status', '--porcelain', '--', 'lua', 'src', 'test') !== '';
  return `${git('rev-parse', '--short', 'HEAD')}${isDirty ? ' with changes' : ''}`;
}

process.exitCode = await main();
