import { expect, test } from 'vitest';
import type { Caller } from '#src/core/call.js';
import type { DirectorySnapshot, KeyRow, LimitRow } from '#src/core/directory.js';
import { isRefused, type Refused } from '#src/core/errors.js';
import { UTC_CALENDAR } from '#src/core/period.js';
import type { Attribution } from '#src/core/usage-event.js';
import { authenticate } from '#src/flows/call/authenticate.js';
import { envelopesFor } from '#src/rules/budget/envelopes.js';
import { hashKey, mintKey } from '#src/rules/keys/api-key.js';
import { openKeyVerifier } from '#src/stores/api-keys.js';

const PEPPER = Buffer.alloc(32, 1);
const { text: KEY, publicId } = mintKey();

function limit(id: string, more: Partial<LimitRow>): LimitRow {
  return {
    id,
    name: id,
    scopeType: 'global',
    scopeId: null,
    scopeAgentType: null,
    scopeKey: null,
    unit: 'nano_usd',
    amount: 1,
    period: 'ever',
    calendar: UTC_CALENDAR,
    mode: 'block',
    strict: false,
    visible: true,
    onLedgerDown: 'refuse',
    version: 1,
    thresholds: [],
    ...more,
  };
}

interface World {
  key?: Partial<KeyRow>;
  agentActive?: boolean;
  projectActive?: boolean;
  limits?: LimitRow[];
}

function world({ key, agentActive = true, projectActive = true, limits = [] }: World = {}) {
  const row: KeyRow = {
    id: 'key-1',
    publicId,
    secretHash: hashKey(KEY, PEPPER),
    kind: 'agent',
    role: null,
    agentId: 'agent-1',
    userId: null,
    allowedModels: ['gpt-*'],
    expiresAtMs: null,
    disabledAtMs: null,
    revokedAtMs: null,
    graceUntilMs: null,
    ...key,
  };
  const snapshot: DirectorySnapshot = {
    version: 1,
    keysByPublicId: new Map([[publicId, row]]),
    projects: new Map([
      ['p-1', { id: 'p-1', name: 'demo', ownerId: 'u-1', isActive: projectActive }],
    ]),
    agents: new Map([
      [
        'agent-1',
        {
          id: 'agent-1',
          name: 'coder-1',
          type: 'coder',
          projectId: 'p-1',
          modelConfig: { max_tokens: 5 },
          isActive: agentActive,
        },
      ],
    ]),
    limits,
    tokenBudgetsByAgent: new Map(),
  };
  return snapshot;
}

const DEPS = { keys: openKeyVerifier(PEPPER), envelopesFor };

function call(snapshot: DirectorySnapshot, claims: Attribution = {}, credential = KEY) {
  return authenticate(DEPS, { credential, claims }, snapshot, 1_000);
}

function callerOf(value: Caller | Refused): Caller {
  if (isRefused(value)) throw new Error(value.refused.message);
  return value;
}

test('a caller is what its key, agent and project say', () => {
  const snapshot = world({ limits: [limit('l-1', { scopeType: 'agent', scopeId: 'agent-1' })] });
  const caller = callerOf(call(snapshot));
  expect(caller.attribution).toEqual({
    keyId: 'key-1',
    agentId: 'agent-1',
    agentName: 'coder-1',
    agentType: 'coder',
    projectId: 'p-1',
    userId: 'u-1',
  });
  expect(caller.allowedModels).toEqual(['gpt-*']);
  expect(caller.modelConfig).toEqual({ max_tokens: 5 });
  expect(caller.envelopes.map((envelope) => envelope.id)).toEqual(['limit:l-1']);
});

test('claims replace nothing that the key says', () => {
  const forged: Attribution = {
    keyId: 'x',
    agentId: 'x',
    agentName: 'x',
    agentType: 'x',
    projectId: 'x',
    userId: 'x',
    person: 'ada',
  };
  const own = callerOf(call(world()));
  expect(callerOf(call(world(), forged)).attribution).toEqual({
    ...own.attribution,
    person: 'ada',
  });
});

test('claims add envelopes and take none away', () => {
  const limits = [
    limit('l-1', {}),
    limit('l-2', { scopeType: 'person', scopeKey: '*' }),
    limit('l-3', { scopeType: 'tag', scopeKey: 'team=red' }),
  ];
  const snapshot = world({ limits });
  const ids = (claims: Attribution) =>
    callerOf(call(snapshot, claims)).envelopes.map((envelope) => envelope.id);
  expect(ids({})).toEqual(['limit:l-1']);
  expect(ids({ person: 'ada' })).toEqual(['limit:l-1', 'limit:l-2:ada']);
  expect(ids({ tags: { team: 'red' } })).toEqual(['limit:l-1', 'limit:l-3']);
  expect(ids({})).toEqual(['limit:l-1']);
});

test('a new snapshot is in force for the next call', () => {
  const before = world({ limits: [limit('l-1', {})] });
  const after = world({ limits: [limit('l-2', {})] });
  const ids = (snapshot: DirectorySnapshot) =>
    callerOf(call(snapshot)).envelopes.map((envelope) => envelope.id);
  expect(ids(before)).toEqual(['limit:l-1']);
  expect(ids(after)).toEqual(['limit:l-2']);
});

test.each<[string, World, string]>([
  [
    'an admin key',
    { key: { kind: 'admin', role: 'owner', agentId: null } },
    'insufficient_permissions',
  ],
  ['an inactive agent', { agentActive: false }, 'key_disabled'],
  ['an inactive project', { projectActive: false }, 'key_disabled'],
  ['an agent that is gone', { key: { agentId: 'agent-2' } }, 'key_disabled'],
  ['a revoked key', { key: { revokedAtMs: 1 } }, 'key_revoked'],
])('%s calls no model', (_name, changes, code) => {
  const refused = call(world(changes));
  expect(isRefused(refused) && refused.refused.code).toBe(code);
});
