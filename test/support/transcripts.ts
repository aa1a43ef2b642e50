// The streams that tests replay: the project's own small transcripts, and recordings of real
// providers where the machine has them. Named after the provider: `xai-text.sse`.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const own = join(root, 'test', 'fixtures', 'chat');
const recordings = process.env.RECORDINGS_DIR ?? join(root, '..', 'shared', 'recordings');

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

export function ownTranscripts(): Transcript[] {
  return transcriptsIn(own);
}

export function recordedTranscripts(): Transcript[] {
  return transcriptsIn(join(recordings, 'chat'));
}
