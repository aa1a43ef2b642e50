// Which envelopes a call touches, how many it could, and the lines made of them.

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { AgentRow, LimitRow, TokenBudgetRow } from '#src/core/directory.js';
import { UTC_CALENDAR } from '#src/core/period.js';
import { countEnvelopes } from '#src/rules/budget/count-envelopes.js';
import { type EnvelopeFacts, envelopesFor } from '#src/rules/budget/envelopes.js';
import { reserveLines } from '#src/rules/budget/reserve-lines.js';

let made = 0;

function limit(over: Partial<LimitRow> = {}): LimitRow {
  made += 1;
  return {
    id: `l${String(made).padStart(4, '0')}`,
    name: 'a limit',
    scopeType: 'global',
    scopeId: null,
    scopeAgentType: null,
    scopeKey: null,
    unit: 'nano_usd',
    amount: 5_000_000_000,
    period: 'daily',
    calendar: UTC_CALENDAR,
    mode: 'block',
    strict: false,
    visible: true,
    onLedgerDown: 'refuse',
    version: 3,
    thresholds: [0.8],
    ...over,
  };
}

const FACTS: EnvelopeFacts = {
  agentId: 'a1',
  agentName: 'coder-1',
  agentType: 'coder',
  projectId: 'p1',
  userId: 'u1',
  keyId: 'k1',
};

const PROJECTS = new Map([['p1', { id: 'p1', name: 'demo', ownerId: 'u1', isActive: true }]]);

function touched(
  facts: EnvelopeFacts,
  limits: readonly LimitRow[],
  tokens: readonly TokenBudgetRow[] = [],
): [string, string][] {
  const tokenBudgetsByAgent = new Map(tokens.map((row) => [row.agentId, row]));
  const rows = { limits, tokenBudgetsByAgent, projects: PROJECTS };
  return envelopesFor(facts, rows).map(({ id, scope }) => [id, scope]);
}

describe('envelopesFor', () => {
  it('finds what is global, and what is for the project, agent and type of the key', () => {
    const limits = [
      limit(),
      limit({ scopeType: 'project', scopeId: 'p1' }),
      limit({ scopeType: 'project', scopeId: 'p2' }),
      limit({ scopeType: 'agent', scopeId: 'a1' }),
      limit({ scopeType: 'agent', scopeId: 'a1', period: 'monthly' }),
      limit({ scopeType: 'agent', scopeId: 'a2' }),
      limit({ scopeType: 'agent_type', scopeAgentType: 'coder' }),
      limit({ scopeType: 'agent_type', scopeAgentType: 'tester' }),
    ];
    const id = (i: number) => `limit:${limits[i]!.id}`;
    expect(touched(FACTS, limits)).toEqual([
      [id(0), 'global'],
      [id(1), 'project:demo'],
      [id(3), 'agent:coder-1'],
      [id(4), 'agent:coder-1'],
      [id(6), 'agent_type:coder'],
    ]);
  });

  it('carries limit, version and the rest of the row', () => {
    const row = limit({ mode: 'warn', strict: true, visible: false, onLedgerDown: 'continue' });
    const rows = { limits: [row], tokenBudgetsByAgent: new Map(), projects: PROJECTS };
    expect(envelopesFor(FACTS, rows)).toEqual([
      {
        id: `limit:${row.id}`,
        scope: 'global',
        unit: 'nano_usd',
        period: 'daily',
        calendar: UTC_CALENDAR,
        limit: 5_000_000_000,
        mode: 'warn',
        strict: true,
        visible: false,
        onLedgerDown: 'continue',
        version: 3,
        thresholds: [0.8],
      },
    ]);
  });

  it('adds the token envelope of the agent, which blocks for ever', () => {
    const rows = {
      limits: [],
      projects: PROJECTS,
      tokenBudgetsByAgent: new Map([
        ['a1', { id: 'b', agentId: 'a1', allocatedTokens: 0, version: 9 }],
      ]),
    };
    expect(envelopesFor(FACTS, rows)).toMatchObject([
      { id: 'tokens:a1', unit: 'tokens', period: 'ever', limit: 0, mode: 'block', version: 9 },
    ]);
    expect(envelopesFor({ ...FACTS, agentId: 'a2' }, rows)).toEqual([]);
  });

  it.each([
    ['user', 'u1', {}],
    ['key', 'k1', {}],
    ['conversation', 'c-1', { conversation: 'c-1' }],
    ['task', 't-1', { task: 't-1' }],
    ['person', 'ann', { person: 'ann' }],
    ['occasion', 'fair', { occasion: 'fair' }],
    ['end_user', 'e-1', { endUser: 'e-1' }],
    ['model', 'gpt-4o', { model: 'gpt-4o' }],
    ['provider', 'openai', { provider: 'openai' }],
    ['tag', 'team=core', { tags: { team: 'core', city: 'Ulm' } }],
    ['issue', '12', { issue: '12' }],
    ['pull_request', '13', { pullRequest: '13' }],
  ] as const)('finds a limit of one %s, by name and by template', (scopeType, value, facts) => {
    const template = scopeType === 'tag' ? 'team=*' : '*';
    const limits = [
      limit({ scopeType, scopeKey: value }),
      limit({ scopeType, scopeKey: `${value}x` }),
      limit({ scopeType, scopeKey: template }),
    ];
    expect(touched({ ...FACTS, ...facts }, limits)).toEqual([
      [`limit:${limits[0]!.id}`, `${scopeType}:${value}`],
      [`limit:${limits[2]!.id}:${value}`, `${scopeType}:${value}`],
    ]);
  });

  it('makes no envelope of a dimension that the call does not have', () => {
    const limits = [limit({ scopeType: 'task', scopeKey: '*' })];
    expect(touched(FACTS, limits)).toEqual([]);
    expect(touched({ ...FACTS, task: '' }, limits)).toEqual([]);
  });

  it('takes the text * that a client sends for a value like any other', () => {
    const limits = [limit({ scopeType: 'task', scopeKey: '*' })];
    expect(touched({ ...FACTS, task: '*' }, limits)).toEqual([
      [`limit:${limits[0]!.id}:*`, 'task:*'],
    ]);
  });

  it('keeps a value of 64 bytes and hashes a longer one', () => {
    const limits = [limit({ scopeType: 'task', scopeKey: '*' })];
    const [fits, long] = ['é'.repeat(32), `${'é'.repeat(32)}x`];
    const hash = createHash('sha256').update(long).digest('hex');
    expect(touched({ ...FACTS, task: fits }, limits)[0]![0]).toBe(`limit:${limits[0]!.id}:${fits}`);
    expect(touched({ ...FACTS, task: long }, limits)[0]![0]).toBe(`limit:${limits[0]!.id}:${hash}`);
  });

  it('asserts that there are no more than 16', () => {
    const limits = Array.from({ length: 16 }, () => limit());
    expect(touched(FACTS, limits)).toHaveLength(16);
    expect(() => touched(FACTS, [...limits, limit()])).toThrow('17 envelopes');
  });
});

describe('countEnvelopes', () => {
  const agent = (id: string, type: string, projectId: string | null): [string, AgentRow] => [
    id,
    { id, name: id, type, projectId, modelConfig: {}, isActive: true },
  ];
  const agents = new Map([agent('a1', 'coder', 'p1'), agent('a2', 'tester', 'p2')]);

  it('is the most that one caller could touch', () => {
    const limits = [
      limit(),
      limit({ scopeType: 'agent', scopeId: 'a1' }),
      limit({ scopeType: 'agent_type', scopeAgentType: 'tester' }),
      limit({ scopeType: 'project', scopeId: 'p2' }),
      limit({ scopeType: 'task', scopeKey: '*' }),
      limit({ scopeType: 'task', scopeKey: 'x' }),
      limit({ scopeType: 'task', scopeKey: 'y' }),
      limit({ scopeType: 'tag', scopeKey: 'team=core' }),
      limit({ scopeType: 'tag', scopeKey: 'city=*' }),
    ];
    const tokens: TokenBudgetRow = { id: 'b', agentId: 'a1', allocatedTokens: 1, version: 1 };
    const rows = { limits, agents, tokenBudgetsByAgent: new Map([['a1', tokens]]) };
    expect(countEnvelopes(rows)).toBe(1 + 2 + 2 + 2);
  });

  it('is never below what a call touches', () => {
    const limits = [
      limit(),
      limit({ scopeType: 'agent', scopeId: 'a1' }),
      limit({ scopeType: 'project', scopeId: 'p1' }),
      limit({ scopeType: 'person', scopeKey: '*' }),
      limit({ scopeType: 'person', scopeKey: 'ann' }),
      limit({ scopeType: 'tag', scopeKey: 'team=*' }),
      limit({ scopeType: 'tag', scopeKey: 'team=core' }),
    ];
    const facts = { ...FACTS, person: 'ann', tags: { team: 'core' } };
    const rows = { limits, agents, tokenBudgetsByAgent: new Map() };
    expect(touched(facts, limits)).toHaveLength(7);
    expect(countEnvelopes(rows)).toBe(7);
  });
});

describe('reserveLines', () => {
  it('asks each envelope for the amount of its unit, under its own label, in order', () => {
    const limits = [
      limit({ period: 'weekly' }),
      limit({ unit: 'tokens', amount: 100, period: 'hourly' }),
      limit({ unit: 'requests', amount: 60, period: 'minutely' }),
      limit({ unit: 'concurrency', amount: 4, period: 'ever' }),
    ];
    const rows = { limits, tokenBudgetsByAgent: new Map(), projects: PROJECTS };
    const envelopes = envelopesFor(FACTS, rows);
    const amounts = { nano_usd: 70, tokens: 8, requests: 1, concurrency: 1 };
    const atMs = Date.UTC(2026, 10, 21, 9, 41);
    const lines = reserveLines([...envelopes].reverse(), amounts, atMs);
    expect(lines.map(({ envelope }) => envelope)).toEqual(envelopes.map(({ id }) => id));
    expect(lines.map(({ label, unit, amount }) => [label, unit, amount])).toEqual([
      ['2026-W47', 'nano_usd', 70],
      ['2026-11-21T09', 'tokens', 8],
      ['2026-11-21T09:41', 'requests', 1],
      ['ever', 'concurrency', 1],
    ]);
    expect(lines[1]).toMatchObject({ limit: 100, mode: 'block', version: 3 });
  });
});
