// Which addresses may be dialled. A provider's address comes from configuration, but its name may
// come to resolve to anything: so what a name resolves to is checked in the very look-up that the
// connection uses, and one blocked address among several refuses them all.

import { lookup as resolve } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

type Range = readonly [address: string, prefix: number];

const PRIVATE_V4: readonly Range[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

// Ranges that carry an IPv4 address inside (mapped, NAT64, 6to4, Teredo) are blocked whole.
const PRIVATE_V6: readonly Range[] = [
  ['::', 96],
  ['::ffff:0:0', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 32],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
];

// Where clouds keep the credentials of the machine: never an upstream, whatever is permitted.
const NEVER: readonly Range[] = [
  ['169.254.169.254', 32],
  ['100.100.100.200', 32],
  ['fd00:ec2::254', 128],
];

interface Lists {
  ipv4: BlockList;
  ipv6: BlockList;
}

// A list takes an IPv4 address for its mapped form too, so that the two families need two lists:
// in one, `::ffff:0:0/96` would block every IPv4 address there is.
function blockLists(ranges: readonly Range[]): Lists {
  const lists: Lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const [address, prefix] of ranges) {
    const family = familyOf(address);
    lists[family].addSubnet(address, prefix, family);
    if (family === 'ipv4') lists.ipv6.addSubnet(address, prefix, family);
  }
  return lists;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}

const never = blockLists(NEVER);
const blocked = blockLists([...PRIVATE_V4, ...PRIVATE_V6, ...NEVER]);

/** Why a connection was refused before anything was dialled. */
export class BlockedAddress extends Error {
  override name = 'BlockedAddress';
  readonly code = 'PURSER_BLOCKED';
}

/** Whether `address`, an IP literal, must not be dialled. */
export function isBlocked(address: string, allowPrivate: boolean): boolean {
  const family = familyOf(address);
  return (allowPrivate ? never : blocked)[family].check(address, family);
}

function refusal(host: string, address: string): BlockedAddress {
  const told = host === address ? host : `${host} (${address})`;
  return new BlockedAddress(`${told} is a private or reserved address`);
}

/** Refuses a blocked IP literal; names are left to the look-up. */
export function checkLiteral(host: string, allowPrivate: boolean): BlockedAddress | undefined {
  return isIP(host) !== 0 && isBlocked(host, allowPrivate) ? refusal(host, host) : undefined;
}

/** The look-up of a connection: what `node:dns` answers, unless an address of it is blocked. */
export function guardedLookup(
  allowPrivate: boolean,
  resolver: typeof resolve = resolve,
): LookupFunction {
  return (hostname, options, callback) => {
    resolver(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '');
      const bad = addresses.find(({ address }) => isBlocked(address, allowPrivate));
      if (bad) return callback(refusal(hostname, bad.address), '');
      if (options.all) return callback(null, addresses);
      const first = addresses[0];
      if (!first) return callback(new Error(`${hostname} has no address`), '');
      return callback(null, first.address, first.family);
    });
  };
}
