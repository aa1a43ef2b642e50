import { describe, expect, it } from 'vitest';
import { checkLiteral, guardedLookup, isBlocked } from '#src/drivers/upstream-guard.js';

const PRIVATE = [
  '0.0.0.0',
  '10.255.255.255',
  '100.64.0.1',
  '127.8.9.1',
  '169.254.1.1',
  '172.31.255.255',
  '192.168.1.1',
  '198.19.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:10.0.0.1',
  '::ffff:8.8.8.8',
  '64:ff9b::a00:1',
  '2002:a00:1::1',
  'fc00::1',
  'fe80::1',
  'ff02::1',
];
const PUBLIC = ['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '192.169.0.1'];

type Answers = { address: string; family: number }[];

function look(answers: Answers | Error, allowPrivate: boolean, all: boolean): Promise<unknown> {
  const resolver = ((_name: string, _options: unknown, tell: (...told: unknown[]) => void) =>
    answers instanceof Error ? tell(answers) : tell(null, answers)) as never;
  return new Promise((resolve) => {
    guardedLookup(allowPrivate, resolver)('name.test', { all }, (error, address, family) => {
      resolve(error ? error.message : [address, family]);
    });
  });
}

describe('the address guard', () => {
  it('blocks private and reserved addresses, and those that carry one', () => {
    for (const address of PRIVATE) expect(isBlocked(address, false), address).toBe(true);
    for (const address of PUBLIC) expect(isBlocked(address, false), address).toBe(false);
  });

  it('with permission blocks only where clouds keep credentials', () => {
    for (const address of [...PRIVATE, ...PUBLIC]) {
      expect(isBlocked(address, true), address).toBe(false);
    }
    for (const address of ['169.254.169.254', '100.100.100.200', 'fd00:ec2::254']) {
      expect(isBlocked(address, true), address).toBe(true);
    }
    expect(isBlocked('::ffff:169.254.169.254', true)).toBe(true);
  });

  it('leaves names to the look-up, which refuses all addresses where one is blocked', async () => {
    expect(checkLiteral('name.test', false)).toBeUndefined();
    expect(checkLiteral('10.0.0.1', false)?.message).toContain('10.0.0.1');
    const open = { address: '8.8.8.8', family: 4 };
    const closed = { address: '10.0.0.1', family: 4 };
    expect(await look([open], false, true)).toEqual([[open], undefined]);
    expect(await look([open], false, false)).toEqual(['8.8.8.8', 4]);
    const refused = 'name.test (10.0.0.1) is a private or reserved address';
    expect(await look([open, closed], false, true)).toBe(refused);
    expect(await look([open, closed], true, true)).toEqual([[open, closed], undefined]);
    expect(await look(new Error('ENOTFOUND'), false, true)).toBe('ENOTFOUND');
    expect(await look([], false, false)).toBe('name.test has no address');
  });
});
