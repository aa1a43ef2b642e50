// Shows that a long step is under way: a spinner with the seconds on a terminal, plain lines
// elsewhere. Everything goes to stderr, so that stdout stays what the command itself prints.

const FRAMES = ['|', '/', '-', '\\'];
const PLAIN_EVERY_MS = 10_000;

/** Begins a step; the answer ends it with what it came to. */
export function beginStep(title, stream = process.stderr) {
  const startedAt = performance.now();
  const seconds = () => ((performance.now() - startedAt) / 1000).toFixed(1);
  let frame = 0;
  const draw = () => {
    stream.write(`\r\u001b[K${FRAMES[frame++ % FRAMES.length]} ${title} (${seconds()} s)`);
  };
  if (stream.isTTY) draw();
  else stream.write(`purser: ${title} ...\n`);
  const timer = stream.isTTY
    ? setInterval(draw, 120)
    : setInterval(() => stream.write(`purser: ${title} ... ${seconds()} s\n`), PLAIN_EVERY_MS);
  return (outcome) => {
    clearInterval(timer);
    const clear = stream.isTTY ? '\r\u001b[K' : '';
    stream.write(`${clear}purser: ${title}: ${outcome} (${seconds()} s)\n`);
  };
}
