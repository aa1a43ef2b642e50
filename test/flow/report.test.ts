// Reports over the real doors: what calls cost, a moment after they ended.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { answering, type Story, startStory } from '../support/gateway.js';

let story: Story;
beforeAll(async () => {
  story = await startStory();
  story.upstream.forModel('model', answering({ prompt_tokens: 100, completion_tokens: 10 }));
  const messages = [{ role: 'user', content: 'Hello' }];
  for (const tags of ['team=core', 'team=core', 'team=edge']) {
    const headers = { 'x-purser-tags': tags, 'x-purser-conversation-id': 'c-1' };
    const answer = await story.post({ model: 'scripted/model', messages, max_tokens: 50 }, headers);
    expect(answer.status).toBe(200);
  }
  await story.gateway.drained();
});
afterAll(() => story.end());

const get = (query: string) => story.admin('GET', `/usage${query}`);

test('a report sums the calls by what is asked for, exactly', async () => {
  const answer = await get('?group_by=agent,tag:team,day&conversation=c-1');
  const report = (await answer.json()) as { data: Record<string, unknown>[]; total: unknown };
  const sums = { rows: 2, calls: 2, tokens_in: 200, tokens_out: 20, cost_usd: '0.000280000' };
  expect(report.data).toHaveLength(2);
  expect(report.data[0]).toMatchObject({ agent: 'coder-1', 'tag:team': 'core', ...sums });
  expect(report.data[1]).toMatchObject({ 'tag:team': 'edge', cost_usd: '0.000140000' });
  expect(report.total).toMatchObject({ calls: 3, cost_usd: '0.000420000' });
});

test('the same as CSV', async () => {
  const answer = await get('?group_by=provider,model&format=csv');
  expect(answer.headers.get('content-type')).toMatch(/^text\/csv/);
  const [head, line, ...rest] = (await answer.text()).split('\r\n');
  expect(head).toMatch(/^provider,model,calls,rows,tokens_in,/);
  expect(line).toBe('scripted,model,3,3,300,30,0,0,0,0,0.000420000,0.000000000,0.000000000');
  expect(rest).toEqual(['']);
});

test('the rows themselves are a page beside it', async () => {
  const page = (await (await get('/rows?limit=2')).json()) as { data: unknown[] };
  expect(page.data).toHaveLength(2);
  expect(page).toMatchObject({ object: 'list', has_more: true });
});

test.each([
  ['?group_by=colour', 'group_by: colour is none of agent,'],
  ['?group_by=day,day', 'names one twice'],
  ['?zone=Mars/Olympus', 'zone: is no IANA time zone'],
  ['?since=yesterday', 'since: '],
  ['?tag=team', 'tag: is not key=value'],
  ['?color=red', 'color: There is no such member'],
])('%s is refused: %s', async (query, message) => {
  const answer = await get(query);
  expect(answer.status).toBe(400);
  expect(((await answer.json()) as { error: { message: string } }).error.message).toContain(
    message,
  );
});
