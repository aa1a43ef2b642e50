// PROOF.md is made of sections, each between two marks that name the run which wrote it: a run
// exchanges its own section and leaves the others as they are.

import { readFile, writeFile } from 'node:fs/promises';

const HEAD = `# Proof

What long runs have shown, each written by the run itself (\`npm run trials -- <name> --write\`).
`;

export async function writeSection(file: URL, name: string, text: string): Promise<void> {
  const before = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return HEAD;
  });
  await writeFile(file, withSection(before, name, text));
}

export function withSection(before: string, name: string, text: string): string {
  const [from, to] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const section = `${from}\n${text}\n${to}\n`;
  const start = before.indexOf(from);
  const end = before.indexOf(to);
  if (start < 0 || end < start) return `${before.trimEnd()}\n\n${section}`;
  return before.slice(0, start) + section + before.slice(end + to.length + 1);
}
