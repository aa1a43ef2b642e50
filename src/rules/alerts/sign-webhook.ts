// The signature of an outgoing webhook, as Standard Webhooks has it: HMAC-SHA-256 over id, time
// and body, by a secret that both sides know.

import { createHmac } from 'node:crypto';

/** `secret` is `whsec_` and base64, or base64 alone; `timestampS` are seconds since 1970. */
export function webhookHeaders(
  secret: string,
  id: string,
  timestampS: number,
  body: string,
): Record<string, string> {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const signed = `${id}.${timestampS}.${body}`;
  const signature = createHmac('sha256', key).update(signed).digest('base64');
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestampS),
    'webhook-signature': `v1,${signature}`,
  };
}
