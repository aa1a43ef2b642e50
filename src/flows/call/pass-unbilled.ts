// A request that no provider bills (counting tokens): authenticated and routed like any call, held
// and booked by nobody, passed on and back as it is.

import type { Call, Plan, Target } from '../../core/call.js';
import { type Refused, refuse } from '../../core/errors.js';
import { readAnswer } from './answer.js';
import type { CallDeps } from './deps.js';
import { FAILURES, isFailure, openExchange } from './exchange.js';
import { requestFor } from './forward.js';
import { passedHeaders } from './headers.js';

export async function passUnbilled(
  deps: CallDeps,
  call: Call,
  plan: Plan,
): Promise<Refused | undefined> {
  const target = plan.targets[0] as Target;
  const { sink } = call;
  const request = requestFor(deps, call, target, { bound: null, askUsage: false });
  const exchange = openExchange(deps.upstream, request, () => {});
  sink.onLeave(() => exchange.abort());
  const head = await exchange.head;
  const { name } = target.provider;
  if (isFailure(head)) {
    return refuse('upstream_error', `${name} cannot be reached: ${FAILURES[head.kind]}.`);
  }
  if (head.status === 401 || head.status === 403) {
    const message = `${name} refused Purser's credential with ${head.status}; check its api_key.`;
    return refuse('upstream_error', message);
  }
  const headers = { ...passedHeaders(head), 'x-request-id': call.requestId };
  const body = head.body ?? (await wholeBody());
  if (body === undefined) return refuse('upstream_error', `${name} broke off.`);
  sink.head(head.status, { ...headers, 'content-length': String(body.length) });
  sink.end(body);
  return undefined;

  async function wholeBody(): Promise<Buffer | undefined> {
    const end = await readAnswer(exchange, sink, deps.options.answerBytesMax, () => {});
    return end.kind === 'whole' ? end.body : undefined;
  }
}
