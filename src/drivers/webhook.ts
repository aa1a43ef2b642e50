// The wire to receivers of notices: one POST, no redirects, an answer within a time. The addresses
// come from the configuration only.

import { request } from 'undici';

export interface WebhookAnswer {
  status: number;
}

/** Rejects where no answer came. */
export async function postWebhook(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  timeoutMs: number,
): Promise<WebhookAnswer> {
  const answer = await request(url, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    signal: AbortSignal.timeout(timeoutMs),
  });
  await answer.body.dump();
  return { status: answer.statusCode };
}
