// Failpoints: a test names one step of the path, and the process dies there as if killed with -9.
// In production no name is given and every check is one comparison.

/** `name` dies at its first pass, `name:5` at its fifth. */
export function createFailpoints(spec: string | undefined): (name: string) => void {
  if (spec === undefined || spec === '') return () => {};
  const [wanted, count] = spec.split(':');
  let left = Number(count ?? 1);
  return (name) => {
    if (name !== wanted) return;
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  };
}
