import { expect, test } from 'vitest';
import type { DirectorySnapshot, KeyRow } from '#src/core/directory.js';
import { isRefused } from '#src/core/errors.js';
import { hashKey, judgeKey, mintKey, parseKey, sameHash } from '#src/rules/keys/api-key.js';
import { GIVEN_KEY_PUBLIC_ID, openKeyVerifier } from '#src/stores/api-keys.js';

const PEPPER = Buffer.alloc(32, 7);

function keyRow(more: Partial<KeyRow> = {}): KeyRow {
  return {
    id: 'id',
    publicId: 'p',
    secretHash: Buffer.alloc(32),
    kind: 'agent',
    role: null,
    agentId: 'a',
    userId: null,
    allowedModels: null,
    expiresAtMs: null,
    disabledAtMs: null,
    revokedAtMs: null,
    graceUntilMs: null,
    ...more,
  };
}

function snapshotOf(...rows: KeyRow[]): DirectorySnapshot {
  return {
    version: 1,
    keysByPublicId: new Map(rows.map((row) => [row.publicId, row])),
    projects: new Map(),
    agents: new Map(),
    limits: [],
    tokenBudgetsByAgent: new Map(),
  };
}

test('a minted key has the promised form and parses to its own public id', () => {
  for (let round = 0; round < 1_000; round += 1) {
    const { text, publicId, prefix } = mintKey();
    expect(text).toMatch(/^sk-purser-[0-9A-Za-z]{12}-[0-9A-Za-z]{38}$/);
    expect(parseKey(text)).toEqual({ publicId });
    expect(text.startsWith(`${prefix}-`)).toBe(true);
  }
});

test('a key with any one character changed, or cut, or lengthened, does not parse', () => {
  const { text } = mintKey();
  for (let at = 0; at < text.length; at += 1) {
    const other = text[at] === 'x' ? 'y' : 'x';
    expect(parseKey(text.slice(0, at) + other + text.slice(at + 1))).toBeUndefined();
    expect(parseKey(text.slice(0, at))).toBeUndefined();
  }
  expect(parseKey(`${text}0`)).toBeUndefined();
  expect(parseKey(`${text}\n`)).toBeUndefined();
});

test('the hash depends on every character and on the pepper', () => {
  const { text } = mintKey();
  const own = hashKey(text, PEPPER);
  expect(own).toHaveLength(32);
  expect(sameHash(own, hashKey(text, PEPPER))).toBe(true);
  expect(sameHash(own, hashKey(`${text}x`, PEPPER))).toBe(false);
  expect(sameHash(own, hashKey(text, Buffer.alloc(32, 8)))).toBe(false);
  expect(sameHash(own, own.subarray(0, 31))).toBe(false);
});

test('disabled, expired, out of grace and revoked are told apart, from the very millisecond', () => {
  const times = [
    ['disabledAtMs', 'disabled'],
    ['expiresAtMs', 'expired'],
    ['graceUntilMs', 'expired'],
    ['revokedAtMs', 'revoked'],
  ] as const;
  for (const [member, verdict] of times) {
    expect(judgeKey(keyRow({ [member]: 1_000 }), 999)).toBe('ok');
    expect(judgeKey(keyRow({ [member]: 1_000 }), 1_000)).toBe(verdict);
  }
  expect(judgeKey(keyRow({ disabledAtMs: 1, revokedAtMs: 1 }), 2)).toBe('revoked');
});

const codeOf = (value: KeyRow | object) => (isRefused(value) ? value.refused.code : 'ok');

test('a verified key is refused at once when its row changes or its time comes', () => {
  const verifier = openKeyVerifier(PEPPER);
  const { text, publicId } = mintKey();
  const row = keyRow({ publicId, secretHash: hashKey(text, PEPPER), expiresAtMs: 5_000 });
  const snapshot = snapshotOf(row);
  expect(codeOf(verifier.verify(text, snapshot, 1_000))).toBe('ok');
  expect(codeOf(verifier.verify(text, snapshot, 5_000))).toBe('key_expired');
  const revoked = snapshotOf({ ...row, revokedAtMs: 1_000 });
  expect(codeOf(verifier.verify(text, revoked, 1_000))).toBe('key_revoked');
  expect(codeOf(verifier.verify(text, snapshotOf(), 1_000))).toBe('invalid_api_key');
});

test('neither the stored hash nor a key that shares a long prefix is taken for the key', () => {
  const verifier = openKeyVerifier(PEPPER);
  const { text, publicId } = mintKey();
  const secretHash = hashKey(text, PEPPER);
  const snapshot = snapshotOf(keyRow({ publicId, secretHash }));
  const wrong = [secretHash.toString('hex'), secretHash.toString('base64'), `${text}a`, '', ' '];
  for (const credential of wrong) {
    expect(codeOf(verifier.verify(credential, snapshot, 0))).toBe('invalid_api_key');
  }
  const other = mintKey().text;
  const grafted = text.slice(0, 23) + other.slice(23);
  expect(codeOf(verifier.verify(grafted, snapshot, 0))).toBe('invalid_api_key');
});

test("the operator's own admin key is taken in any form, and only whole", () => {
  const verifier = openKeyVerifier(PEPPER);
  for (const given of ['correct horse battery staple!', mintKey().text]) {
    const secretHash = hashKey(given, PEPPER);
    const row = keyRow({ publicId: GIVEN_KEY_PUBLIC_ID, secretHash, kind: 'admin', role: 'owner' });
    const snapshot = snapshotOf(row);
    expect(verifier.verify(given, snapshot, 0)).toBe(row);
    expect(codeOf(verifier.verify(`${given}x`, snapshot, 0))).toBe('invalid_api_key');
    expect(codeOf(verifier.verify(mintKey().text, snapshot, 0))).toBe('invalid_api_key');
  }
});
