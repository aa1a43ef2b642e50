// A recording through the relay and the meter that calls go through, split anywhere: only the wire
// on both sides is left out.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Estimate, Target } from '#src/core/call.js';
import { isJsonObject, parseJson } from '#src/core/json.js';
import type { Sink } from '#src/core/sink.js';
import { realClock } from '#src/drivers/clock.js';
import { readAnswer } from '#src/flows/call/answer.js';
import type { Exchange } from '#src/flows/call/exchange.js';
import { amountsOf, createMeter } from '#src/flows/call/meter.js';
import { relayStream } from '#src/flows/call/relay.js';
import { buildCatalog, type Catalog } from '#src/rules/catalog/catalog.js';
import type { PriceFile } from '#src/rules/catalog/row.js';
import { quirksOf } from '#src/rules/providers/providers.js';
import { seeded, splitAtRandom } from '../seeded.js';
import { DIALECTS } from '../streams.js';
import { type RecordedCase, wantedBytes } from './recorded.js';

// Recorded, and not in the catalog.
const UNLISTED = {
  'alibaba/qwen3-max': { input: 1.2, output: 6 },
  'mistral/magistral-medium-2507': { input: 2, output: 5 },
  'lmstudio/gemma-7b-it': { input: 1, cached_read: 0.5, output: 4 },
  'lmstudio/mistralai/ministral-3-14b-reasoning': { input: 1, cached_read: 0.5, output: 4 },
};
const TODAY_MS = Date.UTC(2026, 10, 21);
const COMMENT = 'purser cost_usd=0.001204 remaining_usd=3.77';
const ANSWER_BYTES_MAX = 16 << 20;

export function recordedCatalog(): Catalog {
  const file = join(import.meta.dirname, '..', '..', '..', 'config', 'prices.json');
  return buildCatalog(JSON.parse(readFileSync(file, 'utf8')) as PriceFile, UNLISTED);
}

/** What was wrong when it was split by this seed; empty where all was as it must be. */
export async function faultsOfSplit(
  one: RecordedCase,
  catalog: Catalog,
  seed: number,
): Promise<string[]> {
  const random = seeded(seed);
  const most = seed % 2 === 0 ? 10 : Math.max(2, one.bytes.length / 20);
  const chunks = splitAtRandom(one.bytes, 1 + random.below(most), random);
  const quirks = quirksOf(one.provider);
  const price = catalog.find(one.provider, one.model, TODAY_MS);
  const provider = { name: one.provider, quirks } as Target['provider'];
  const target: Target = { id: one.name, provider, model: one.model, price };
  const told = one.isStream
    ? await relayed(one, chunks, target, seed % 4 < 2)
    : await answered(one, chunks, target);
  return [...told.faults, ...moneyFaults(one, target, told.usage)].map(
    (fault) => `${one.name}, seed ${seed}: ${fault}`,
  );
}

type Told = { faults: string[]; usage: RecordedCase['usage'] };

async function relayed(
  one: RecordedCase,
  chunks: readonly Buffer[],
  target: Target,
  wantsUsage: boolean,
): Promise<Told> {
  const dialect = DIALECTS[one.format];
  const reader = dialect.createReader({ wantsUsage, quirks: target.provider.quirks });
  const estimate = { inputTokens: 7, inputExact: true } as Estimate;
  const meter = createMeter(reader, target, estimate, (text) => text.length);
  const out: Uint8Array[] = [];
  const end = await relayStream(feeding(chunks), reader, collecting(out), {
    clock: realClock,
    gate: { isSafe: () => true, admit: () => true },
    writeStallMs: 60_000,
    onFirstByte: () => {},
    onChunk: () => {},
  });
  out.push(dialect.writeDone(COMMENT, reader));
  const metered = await meter.finish();
  const faults: string[] = [];
  if (end.kind !== 'complete') faults.push(`it ended as ${end.kind}`);
  const isSame = Buffer.concat(out).equals(wantedBytes(one, wantsUsage, COMMENT));
  if (!isSame) faults.push('other bytes were relayed');
  if (metered.source !== (one.usage ? 'provider' : 'counted')) {
    faults.push(`the usage is of ${metered.source}`);
  }
  faults.push(...reader.anomalies.map((anomaly) => `marked: ${anomaly}`));
  if (one.finish !== undefined && reader.finishReason !== one.finish) {
    faults.push(`it finished with ${reader.finishReason}`);
  }
  return { faults, usage: one.usage ? metered.usage : undefined };
}

async function answered(
  one: RecordedCase,
  chunks: readonly Buffer[],
  target: Target,
): Promise<Told> {
  const end = await readAnswer(feeding(chunks), collecting([]), ANSWER_BYTES_MAX, () => {});
  if (end.kind !== 'whole') return { faults: [`it was ${end.kind}`], usage: undefined };
  if (!end.body.equals(one.bytes)) return { faults: ['other bytes were read'], usage: undefined };
  const json = parseJson(end.body.toString('utf8'));
  if (!isJsonObject(json)) return { faults: ['it is no JSON object'], usage: undefined };
  const reading = DIALECTS[one.format].readAnswer(json, target.provider.quirks);
  const faults = reading.anomalies.map((anomaly) => `marked: ${anomaly}`);
  return { faults, usage: reading.usage };
}

function moneyFaults(one: RecordedCase, target: Target, usage: RecordedCase['usage']): string[] {
  const [got, want] = [JSON.stringify(usage), JSON.stringify(one.usage)];
  if (got !== want) return [`its classes are ${got} and not ${want}`];
  if (!usage || one.costNanoUsd === undefined) return [];
  if (!target.price) return ['it has no price'];
  const nano = BigInt(amountsOf(target, usage).nano_usd);
  if (nano !== one.costNanoUsd) return [`it costs ${nano} and not ${one.costNanoUsd} nano-USD`];
  if (one.ticks !== undefined && nano * 10n !== one.ticks) {
    return [`its provider bills ${one.ticks} ticks, we ${nano} nano-USD`];
  }
  return [];
}

/** An upstream that has all its chunks at hand. */
function feeding(chunks: readonly Buffer[]): Exchange {
  return {
    head: Promise.resolve({ status: 200, headers: {} }),
    attach(consumer) {
      for (const chunk of chunks) consumer.onBytes(chunk);
      consumer.onEnd();
    },
    pause: () => {},
    resume: () => {},
    abort: () => {},
    leave: () => {},
  };
}

function collecting(out: Uint8Array[]): Sink {
  return {
    head: () => {},
    write: (bytes) => {
      out.push(bytes);
      return true;
    },
    end: () => {},
    destroy: () => {},
    onDrain: () => {},
    onLeave: () => {},
    headSent: false,
    left: false,
  };
}
