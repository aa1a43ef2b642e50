// All scenarios by name, in the order in which they run.

import { emptyOutcome, type Outcome, type Row, type Scenario } from './scenario.js';

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'small-call': {
    title: 'Small call',
    about:
      'One call that does not stream (0.9 KB in, 0.8 KB out), 128 connections; CPU is all that the ' +
      'side used per call, rows written afterwards included. `open` is at 2,000 calls a second ' +
      'that arrive whether or not the side keeps up, counted from the intended send time; `alone` ' +
      'is one connection; `core 1` is the load, the upstream, Redis and PostgreSQL (`others`). Without ' +
      'PostgreSQL the rows go to the database inside, which shares core 0.',
    seconds: 290,
    run: async (bench) => (await import('./small-call.js')).smallCall(bench),
  },
  streaming: {
    title: 'Streaming',
    about:
      'One write of the upstream per chunk, every 20 ms on each of 150 streams of 100 chunks: CPU ' +
      'per chunk (the call itself included), time to the first byte, and how long a chunk was under ' +
      'way from the upstream to the client; sides of Node are warm for 40 s. Full: 1,500 streams, ' +
      '75,000 chunks a second offered.',
    seconds: 260,
    run: async (bench) => (await import('./streaming.js')).streaming(bench),
  },
  conversation: {
    title: 'Long conversations: the event loop',
    about:
      'Reading, counting and splicing the body in this process. Unseen: every message is new; ' +
      'growing: only the last two are. CPU is that of the loop; the block is the longest time for ' +
      'which nothing else could run, JSON.parse included.',
    seconds: 20,
    run: async (bench) => (await import('./conversation.js')).conversationCost(bench),
  },
  conversations: {
    title: 'Long conversations: over HTTP',
    about: 'Through the whole gateway, 4 connections; its workers share core 0 with it.',
    seconds: 70,
    slow: true,
    run: async (bench) => (await import('./conversation-http.js')).conversations(bench),
  },
  neighbour: {
    title: 'Another caller meanwhile',
    about:
      '200 small calls a second, by themselves and beside long prompts of somebody else; the last row is the machine and the load by themselves.',
    seconds: 150,
    slow: true,
    run: async (bench) => (await import('./conversation-http.js')).neighbour(bench),
  },
  'open-streams': {
    title: 'Many open streams',
    about:
      'A chunk a second on each; RSS over what it was before, by stream; a fresh process each time.',
    seconds: 125,
    slow: true,
    run: async (bench) => (await import('./open-streams.js')).manyStreams(bench),
  },
  soak: {
    title: 'Soak',
    about: 'Ten minutes of 9,000 open streams, each of two minutes, one after another.',
    seconds: 620,
    alone: true,
    run: async (bench) => (await import('./open-streams.js')).soak(bench),
  },
  ledger: {
    title: 'Ledger on Redis',
    about:
      'Pairs of reserve and finalize over four envelopes against one Redis, 64 at a time, beside SET ' +
      'by the same client: the machine cancels out of the ratio.',
    seconds: 30,
    async run({ quick }) {
      const { ledgerBench } = await import('./ledger.js');
      const told = await ledgerBench(quick ? { seconds: 1, rounds: 3 } : { seconds: 5, rounds: 3 });
      const row = {
        'pairs/s': Math.round(told.pairsPerSecond),
        'SET/s': Math.round(told.setPerSecond),
        ratio: Number(told.ratio.toFixed(3)),
      };
      return single(row, { 'ledger.ratio': told.ratio });
    },
  },
  refused: {
    title: 'The 402 path',
    about: 'A budget that is used up, 64 connections that ask on.',
    seconds: 25,
    run: async (bench) => (await import('./refused.js')).refused(bench),
  },
  fit: {
    title: 'Prompt budget',
    about:
      'A conversation of 200,000 tokens fitted to 32,000 in this process, from the second call on; ' +
      'a block is the longest time for which nothing else could run.',
    seconds: 8,
    async run({ quick }) {
      const rows = await (await import('./fit.js')).fitBench(quick ? 10 : 40);
      const table = rows.map((row) => ({ ...row }));
      const [conversation] = rows;
      const figures = {
        'fit.ms': conversation?.medianMs ?? Number.NaN,
        'fit.block-ms': conversation?.blockMedianMs ?? Number.NaN,
      };
      return { ...emptyOutcome(), table, rounds: table, figures };
    },
  },
  rows: {
    title: 'Usage rows',
    about:
      'Usage rows written by one recorder, every key and index on, beside `\\copy` of the same rows ' +
      'into a table without keys.',
    seconds: 60,
    slow: true,
    async run({ quick, told }) {
      const { ROWS_PER_SECOND_FLOOR, usageRows } = await import('./rows.js');
      const options = quick
        ? { rows: 10_000, batch: 1000, seconds: 3 }
        : { rows: 50_000, batch: 1000, seconds: 10 };
      const { variants, arriving, ratio } = await usageRows(options, told);
      const late = arriving.filter(({ emptyAfterMs }) => emptyAfterMs > 2000);
      const table: Row[] = variants.map((variant) => ({ ...variant }));
      for (const { variant, ...more } of arriving) {
        Object.assign(table.find((row) => row.variant === variant) ?? {}, more);
      }
      return {
        ...{ ...emptyOutcome(), table, rounds: table, figures: { 'rows.copy': ratio } },
        failures: late.map(
          ({ variant }) => `${variant}: did not empty at ${ROWS_PER_SECOND_FLOOR} a second`,
        ),
      };
    },
  },
  reports: {
    title: 'Reports',
    about: 'A month by agent out of a million rows on PostgreSQL, beside a plain GROUP BY.',
    seconds: 90,
    alone: true,
    async run({ quick, told }) {
      const { reports } = await import('./reports.js');
      const found = await reports({ rows: quick ? 100_000 : 1_000_000 }, told);
      return single({ ...found }, { 'reports.ms': found.reportMs });
    },
  },
};

function single(row: Row, figures: Record<string, number>): Outcome {
  return { ...emptyOutcome(), table: [row], rounds: [row], figures };
}
