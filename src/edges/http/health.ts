// Whether the gateway lives and whether it can take calls, for load balancers and people.

import { answerJson, answerText, type Exchange } from './exchange.js';

export interface Readiness {
  ok: boolean;
  /** One word or sentence for each part: `ok`, or what is wrong with it. */
  checks: Record<string, string>;
}

export interface OperatorDoorsDeps {
  ready(): Promise<Readiness>;
  metrics?(): Promise<{ contentType: string; text: string }>;
}

export function answerAlive(exchange: Exchange): void {
  answerJson(exchange, 200, { status: 'ok' });
}

export async function answerReady(exchange: Exchange, deps: OperatorDoorsDeps): Promise<void> {
  const { ok, checks } = await deps.ready();
  const draining = exchange.draining();
  const status = draining ? 'draining' : ok ? 'ready' : 'not_ready';
  answerJson(exchange, ok && !draining ? 200 : 503, { status, checks });
}

export async function answerMetrics(exchange: Exchange, deps: OperatorDoorsDeps): Promise<void> {
  const metrics = await deps.metrics?.();
  if (metrics) answerText(exchange, 200, metrics.text, { 'content-type': metrics.contentType });
}
