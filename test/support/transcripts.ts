// The streams that tests replay: the project's own small transcripts, and recordings of real
// providers where the machine has them. Named after the provider: `xai-text.sse`.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const own = join(root, 'test', 'fixtures');
export const recordings = process.env.RECORDINGS_DIR ?? join(root, '..', 'shared', 'recordings');

/** The wire formats of which there are transcripts. */
export type Format = 'chat' | 'messages' | 'responses';

export interface Transcript {
  name: string;
  provider: string;
  bytes: Buffer;
}

function transcriptsIn(folder: string): Transcript[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith('.sse'));
  return names.sort().map((name) => ({
    name,
    provider: name.split('-')[0] ?? '',
    bytes: readFileSync(join(folder, name)),
  }));
}

export function ownTranscripts(format: Format = 'chat'): Transcript[] {
  return transcriptsIn(join(own, format));
}

export function recordedTranscripts(format: Format = 'chat'): Transcript[] {
  return transcriptsIn(join(recordings, format));
}

/** A recording of several calls as one stream for each; chat completions have one a file. */
export function streamsOf(bytes: Buffer): Buffer[] {
  const first = Buffer.from('event: response.created\n');
  const starts: number[] = [];
  for (let at = bytes.indexOf(first); at !== -1; at = bytes.indexOf(first, at + 1)) {
    starts.push(at);
  }
  if (starts.length < 2) return [bytes];
  return starts.map((start, i) => bytes.subarray(i === 0 ? 0 : start, starts[i + 1]));
}
