// The bar of a proof under way: redrawn on a terminal, else one line a tenth.

const WIDTH = 30;
let tenth = -1;

export function draw(title: string, done: number, all: number, unit = ''): void {
  const share = Math.min(1, done / all);
  const bar = '#'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '.');
  const percent = `${Math.floor(share * 100)} %`.padStart(5);
  const text = `${title.padEnd(16)} [${bar}] ${percent} ${done}/${all} ${unit}`.trimEnd();
  if (process.stderr.isTTY) {
    process.stderr.write(`\r\u001b[K${text}${share === 1 ? '\n' : ''}`);
    return;
  }
  const now = Math.floor(share * 10);
  if (now !== tenth) process.stderr.write(`${text}\n`);
  tenth = now;
}
