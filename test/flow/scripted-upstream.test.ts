import { describe, expect, it } from 'vitest';
import { startUpstreamProcess } from '../support/upstream-process.js';

describe('a scripted upstream in a process of its own', () => {
  it('does what it is told and its log is what happened', async () => {
    const upstream = await startUpstreamProcess();
    try {
      await upstream.plan({ body: 'abcdef', cuts: { at: [2, 4] }, hold: true });
      await upstream.forModel('dead', { body: 'abcdef', dieAt: 3 });
      const ask = (model: string) =>
        fetch(upstream.url, { method: 'POST', body: JSON.stringify({ model }) });
      const answer = ask('held');
      await upstream.received(1);
      expect(upstream.requests[0]).toMatchObject({ model: 'held', bytesWritten: 0 });
      await upstream.release();
      expect(await (await answer).text()).toBe('abcdef');
      await expect((await ask('dead')).text()).rejects.toThrow();
      await expect
        .poll(async () => {
          await upstream.sync();
          return upstream.requests;
        })
        .toMatchObject([
          { bytesWritten: 6, complete: true, closedAtMs: expect.any(Number) },
          { bytesWritten: 3, complete: false, closedAtMs: expect.any(Number) },
        ]);
      const written = upstream.log.filter((line) => line.event === 'written' && line.id === 0);
      expect(written).toHaveLength(3);
    } finally {
      await upstream.stop();
    }
  });
});
