import { expect, test } from 'vitest';
import { openLog } from '#src/drivers/log.js';
import { mintKey } from '#src/rules/keys/api-key.js';

function logged(pretty = false, secrets: string[] = []) {
  const lines: string[] = [];
  const log = openLog({ level: 'debug', pretty, secrets, write: (line) => lines.push(line) });
  return { log, lines };
}

test('a line is one JSON object with its level, time and fields', () => {
  const { log, lines } = logged();
  log.warn({ ms: 120 }, 'slow');
  expect(lines).toHaveLength(1);
  expect(lines[0]!.endsWith('\n')).toBe(true);
  expect(JSON.parse(lines[0]!)).toMatchObject({ level: 40, ms: 120, msg: 'slow' });
});

test('a secret is masked wherever it hides, and from the moment it is registered', () => {
  const secret = 'sk-up"stream\\1234';
  const { log, lines } = logged();
  log.addSecret(secret);
  const error = new Error(`401 for ${secret}`, { cause: new Error(secret) });
  log.error({ error, deep: { list: [secret] }, [secret]: 1 }, `message ${secret}`);
  log.info({ text: `${secret}${secret}` }, 'twice');
  const text = lines.join('');
  expect(text).not.toContain('1234');
  expect(text.match(/\[redacted\]/g)!.length).toBeGreaterThanOrEqual(6);
  for (const line of lines) expect(() => JSON.parse(line)).not.toThrow();
});

test('a key of our own is masked without being registered, but for its public id', () => {
  const { log, lines } = logged();
  const { text, publicId } = mintKey();
  log.info({ url: `/?key=${text}` }, text);
  expect(lines[0]).not.toContain(text.slice(-38));
  expect(lines[0]).toContain(publicId);
});

test('short values are no secrets: they would mask half of every line', () => {
  const { log, lines } = logged(false, ['', 'a', 'info']);
  log.info({}, 'a line of information');
  expect(lines[0]).toContain('a line of information');
});

test('at a terminal a line is for people, with the secret gone as well', () => {
  const { log, lines } = logged(true, ['sk-secret-value']);
  log.warn({ ms: 5, who: 'sk-secret-value' }, 'slow');
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d warn {2}slow {2}ms=5 who=\[redacted\]\n$/);
});

test('a control character of a client cannot begin a line of its own', () => {
  for (const pretty of [false, true]) {
    const { log, lines } = logged(pretty);
    log.info({ model: 'a\r\n{"level":50}' }, 'call\nforged');
    expect(
      lines
        .join('')
        .trimEnd()
        .split(/[\r\n]/),
    ).toHaveLength(1);
  }
});

test('what JSON cannot say is said as text, and an error with its cause', () => {
  const { log, lines } = logged();
  const round: Record<string, unknown> = {};
  round.round = round;
  log.warn({ round, many: 2n }, 'odd');
  log.warn({ err: new Error('outer', { cause: new Error('inner') }) }, 'failed');
  expect(JSON.parse(lines[0]!)).toMatchObject({ many: '2', round: '[object Object]', msg: 'odd' });
  expect(JSON.parse(lines[1]!).err).toMatchObject({
    message: 'outer',
    cause: { message: 'inner' },
  });
});

test('a level below the wanted one is not said', () => {
  const lines: string[] = [];
  const log = openLog({ level: 'warn', pretty: false, write: (line) => lines.push(line) });
  log.info({}, 'quiet');
  log.error({}, 'loud');
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['loud']);
});
