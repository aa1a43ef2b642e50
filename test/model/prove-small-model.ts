// The small model: in memory to depth eight, and every step of depth five again on Redis.

import type { OpenSubject } from '../contract/subject.js';
import { draw } from './bar.js';
import { exploreSmallModel, replaySmallModel } from './small-model.js';
import { openMemory } from './subjects.js';

const DEPTH = 8;
const REPLAYED_DEPTH = 5;
const REPLAY = { leaseMs: 400, atOnce: 128 };

export async function proveSmallModel(): Promise<string[]> {
  draw('small model', 0, 1);
  const { states, edges } = await exploreSmallModel(openMemory, DEPTH);
  draw('small model', 1, 1);
  return [`Small model to depth ${DEPTH}: ${states} states, ${edges} steps tried.`, ''];
}

export async function provePlaces(open: OpenSubject): Promise<string[]> {
  draw('small model', 0, 1);
  const { paths } = await exploreSmallModel(openMemory, REPLAYED_DEPTH);
  const { edges } = await replaySmallModel(open, paths, REPLAY);
  draw('small model', 1, 1);
  const told = `${paths.length} states, ${edges} steps tried`;
  return [`Small model on Redis, every step to depth ${REPLAYED_DEPTH}: ${told}.`, ''];
}
