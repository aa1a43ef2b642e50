// A reading as JSON. It is written twice for a call (log and ledger), and member by member that
// takes half of what JSON.stringify takes: names stay what they are, amounts are numbers.

import { quoted } from './quoted.js';
import type { Usage } from './usage.js';
import type { Reading } from './usage-event.js';

export function readingText(reading: Reading): string {
  const { usage, costNanoUsd, endedAtMs, firstByteMs, modelMs, anomalies } = reading;
  const target = `"provider":${quoted(reading.provider)},"model":${quoted(reading.model)}`;
  const price = `"priceVersion":${quoted(reading.priceVersion)}`;
  const used = `"usage":${usageText(usage)},"usageSource":"${reading.usageSource}"`;
  const reason = reading.finishReason === null ? 'null' : quoted(reading.finishReason);
  const end = `"outcome":"${reading.outcome}","finishReason":${reason},"endedAtMs":${endedAtMs}`;
  const times = `"firstByteMs":${firstByteMs},"modelMs":${modelMs}`;
  const estimated =
    `"estimatedInputTokens":${reading.estimatedInputTokens},` +
    `"estimatedOutputTokens":${reading.estimatedOutputTokens}`;
  const held = `"attempts":${reading.attempts},${estimated},"heldNanoUsd":${reading.heldNanoUsd}`;
  const odd = anomalies.length === 0 ? '[]' : JSON.stringify(anomalies);
  const rest = `${held},"anomalies":${odd}${rareReadingText(reading)}`;
  return `{${target},${price},${used},"costNanoUsd":${costNanoUsd},${end},${times},${rest}}`;
}

function rareReadingText({ saved, serviceTier, kept, corrects }: Reading): string {
  let text = '';
  if (saved) text += `,"saved":${JSON.stringify(saved)}`;
  if (serviceTier !== undefined) text += `,"serviceTier":${quoted(serviceTier)}`;
  if (kept) text += `,"kept":${JSON.stringify(kept)}`;
  if (corrects) text += `,"corrects":${JSON.stringify(corrects)}`;
  return text;
}

// Of most calls only two classes are told.
function usageText(usage: Usage): string {
  const { input, output } = usage;
  if (!isPlain(usage)) return JSON.stringify(usage);
  const before = '"cachedRead":0,"cacheWrite5m":0,"cacheWrite1h":0';
  const after = '"reasoning":0,"audioInput":0,"audioOutput":0,"imageInput":0,"requests":1';
  return `{"input":${input},${before},"output":${output},${after},"webSearches":0}`;
}

function isPlain(usage: Usage): boolean {
  const { cachedRead, cacheWrite5m, cacheWrite1h, reasoning, requests } = usage;
  const { audioInput, audioOutput, imageInput, webSearches } = usage;
  if (cachedRead !== 0 || cacheWrite5m !== 0 || cacheWrite1h !== 0 || reasoning !== 0) return false;
  return (
    audioInput === 0 && audioOutput === 0 && imageInput === 0 && webSearches === 0 && requests === 1
  );
}
