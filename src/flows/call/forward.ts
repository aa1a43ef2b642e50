// Sends the call to the targets of its plan in order until one answers. The next target is tried
// only before the first byte, and after an attempt that may be billed only if the ledger grants
// that attempt's charge on top.

import type { Call, Operation, Provider, Target } from '../../core/call.js';
import type { BodyEdits } from '../../core/dialect.js';
import { type Refused, refuse } from '../../core/errors.js';
import type { UpstreamFailure, UpstreamRequest } from '../../core/upstream.js';
import type { Outcome } from '../../core/usage-event.js';
import { LedgerUnavailable } from '../../stores/ledger/ledger.js';
import type { CallDeps } from './deps.js';
import { type Exchange, FAILURES, type Head, isFailure, openExchange } from './exchange.js';
import { markSent, type Passage, plus } from './passage.js';

/** What became of the attempts. */
export type Forwarded =
  | { kind: 'answering'; head: Head }
  /** The upstream's own refusal, to be passed on as it is; nothing is charged. */
  | { kind: 'passed'; head: Head }
  | { kind: 'failed'; refusal: Refused; outcome: Outcome }
  /** We ended it before an answer came. */
  | { kind: 'ended'; refusal: Refused }
  | { kind: 'client_left' };

type Step = Forwarded | { kind: 'next'; refusal: Refused; outcome: Outcome; billed: boolean };

const PASSED_STATUSES = new Set([400, 404, 409, 413, 422]);

export async function forward(passage: Passage): Promise<Forwarded> {
  const { plan, deps } = passage;
  for (let index = 0; index < plan.targets.length; index += 1) {
    if (passage.overruled) return { kind: 'ended', refusal: passage.overruled };
    const target = plan.targets[index]!;
    passage.target = target;
    const askUsage = mayAskUsage(passage, target);
    let head = await attempt(passage, target, askUsage);
    if (askUsage && namesStreamOptions(head)) {
      deps.usageNotAsked.add(target.id);
      head = await attempt(passage, target, false);
    }
    const step = stepAfter(passage, target, head);
    if (step.kind !== 'next') return step;
    deps.health.failed(target.id);
    if (step.billed) {
      passage.billed = plus(passage.billed, passage.estimate.floor);
    }
    const last = index === plan.targets.length - 1;
    if (last || passage.call.sink.left || !(await mayTryNext(passage, step.billed))) {
      return { kind: 'failed', refusal: step.refusal, outcome: step.outcome };
    }
  }
  return { kind: 'failed', refusal: noTarget(passage), outcome: 'upstream_died' };
}

// An attempt that timed out may be billed: the next one needs that much more, or there is none.
async function mayTryNext(passage: Passage, billed: boolean): Promise<boolean> {
  if (passage.overruled) return false;
  if (!billed) return true;
  const { deps, admission, estimate } = passage;
  const more = { ...estimate.floor, requests: 0, concurrency: 0 };
  try {
    const reply = await deps.ledger.extend({
      id: admission.reserved.id,
      more,
      leaseMs: deps.options.leaseMs,
    });
    if (reply.answer !== 'EXTENDED') return false;
    const { nano_usd, tokens } = passage.held;
    passage.held = {
      ...passage.held,
      nano_usd: nano_usd + more.nano_usd,
      tokens: tokens + more.tokens,
    };
    return true;
  } catch (error) {
    if (!(error instanceof LedgerUnavailable)) throw error;
    return false;
  }
}

function mayAskUsage({ call, deps }: Passage, target: Target): boolean {
  if (!call.body.stream) return false;
  return target.provider.quirks.asksUsage && !deps.usageNotAsked.has(target.id);
}

function attempt(
  passage: Passage,
  target: Target,
  askUsage: boolean,
): Promise<Head | UpstreamFailure> {
  const { deps, call } = passage;
  passage.attempts += 1;
  if (passage.attempts === 1) deps.failpoint('post_reserve');
  const edits = { bound: passage.estimate.boundSent, askUsage };
  const exchange = openExchange(deps.upstream, requestFor(deps, call, target, edits), () => {
    passage.sent = markSent(passage);
    deps.failpoint('on_send');
  });
  passage.exchange = exchange;
  passage.dispatchedMs = deps.clock.elapsedMs();
  call.sink.onLeave(() => leave(passage, exchange));
  return exchange.head;
}

function stepAfter(passage: Passage, target: Target, head: Head | UpstreamFailure): Step {
  if (isFailure(head)) return afterFailure(passage, target, head);
  if (head.status >= 200 && head.status < 300) return { kind: 'answering', head };
  return afterStatus(passage, target, head);
}

// A reader that leaves a stream ends it at once. A whole answer is read on for a while, because
// only it says what it cost.
function leave(passage: Passage, exchange: Exchange): void {
  const { call, deps } = passage;
  if (call.body.stream) exchange.leave((ms, fire) => deps.clock.after(ms, fire));
  else deps.clock.after(deps.options.readOnMs, () => exchange.abort());
}

function afterStatus(passage: Passage, target: Target, head: Head): Step {
  const name = target.provider.name;
  if (PASSED_STATUSES.has(head.status)) {
    passage.deps.health.succeeded(target.id);
    return { kind: 'passed', head };
  }
  const next = (refusal: Refused): Step => ({
    kind: 'next',
    refusal,
    outcome: 'upstream_died',
    billed: false,
  });
  if (head.status === 429) {
    const last = passage.plan.targets.at(-1) === target;
    if (last) {
      passage.deps.health.failed(target.id);
      return { kind: 'passed', head };
    }
    return next(refuse('upstream_error', `${name} answered 429.`));
  }
  // Neither another provider nor another try mends these: an operator has to.
  const wrong = misconfigured(name, head.status);
  if (wrong) {
    passage.deps.health.failed(target.id);
    return { kind: 'failed', refusal: wrong, outcome: 'upstream_died' };
  }
  return next(refuse('upstream_error', `${name} answered ${head.status}.`));
}

function misconfigured(name: string, status: number): Refused | undefined {
  if (status === 401 || status === 403) {
    const message = `${name} refused Purser's credential with ${status}; check its api_key.`;
    return refuse('upstream_error', message);
  }
  if (status < 300 || status >= 400) return undefined;
  const message = `${name} answered with a redirect (${status}); check its base_url.`;
  return refuse('upstream_error', message);
}

function afterFailure(passage: Passage, target: Target, failure: UpstreamFailure): Step {
  const name = target.provider.name;
  const { kind, message: detail } = failure;
  passage.deps.log.debug({ target: target.id, kind, detail }, 'an attempt failed');
  if (failure.kind === 'aborted') {
    if (!passage.overruled) return { kind: 'client_left' };
    return { kind: 'ended', refusal: passage.overruled };
  }
  if (failure.kind === 'first_byte_timeout') {
    const refusal = refuse('upstream_timeout', `${name} sent no first byte in time.`);
    return { kind: 'next', refusal, outcome: 'upstream_timeout', billed: failure.sent };
  }
  if (failure.kind === 'connect_timeout') {
    const refusal = refuse('upstream_timeout', `${name} could not be connected to in time.`);
    return { kind: 'next', refusal, outcome: 'upstream_timeout', billed: false };
  }
  const what = failure.sent ? 'broke off' : 'cannot be reached';
  const refusal = refuse('upstream_error', `${name} ${what}: ${FAILURES[failure.kind]}.`);
  return { kind: 'next', refusal, outcome: 'upstream_died', billed: failure.sent };
}

function namesStreamOptions(head: Head | UpstreamFailure): boolean {
  if (isFailure(head)) return false;
  if (head.status !== 400 && head.status !== 422) return false;
  return head.body?.includes('stream_options') ?? false;
}

/** The call as the target gets it. */
export function requestFor(
  deps: CallDeps,
  call: Call,
  target: Target,
  edits: Omit<BodyEdits, 'model'>,
): UpstreamRequest {
  const dialect = deps.dialects[call.operation];
  const { provider } = target;
  const { bound, askUsage } = edits;
  const body = dialect?.writeBody(call.body, { model: target.model, bound, askUsage }) ?? [];
  const { connectTimeoutMs, firstByteTimeoutMs, answerTimeoutMs, idleTimeoutMs } = deps.options;
  const { url, headers } = addressOf(call, provider);
  return {
    method: 'POST',
    url,
    headers,
    body,
    allowPrivate: provider.allowPrivate,
    connectTimeoutMs,
    firstByteTimeoutMs: call.body.stream ? firstByteTimeoutMs : answerTimeoutMs,
    idleTimeoutMs,
  };
}

interface Address {
  operation: Operation;
  provider: Provider;
  url: string;
  headers: Readonly<Record<string, string>>;
}

// Clients that send the same headers share one object of them: what follows from it is made once.
const addresses = new WeakMap<Readonly<Record<string, string>>, Address>();

function addressOf({ operation, passHeaders }: Call, provider: Provider): Address {
  const known = addresses.get(passHeaders);
  if (known && known.operation === operation && known.provider === provider) return known;
  const url = provider.baseUrl + UPSTREAM_PATHS[operation];
  const headers = { ...passHeaders, ...provider.headers, 'content-type': 'application/json' };
  const address = { operation, provider, url, headers };
  addresses.set(passHeaders, address);
  return address;
}

const UPSTREAM_PATHS = {
  chat: '/chat/completions',
  completions: '/completions',
  embeddings: '/embeddings',
  responses: '/responses',
  messages: '/v1/messages',
  count_tokens: '/v1/messages/count_tokens',
} as const;

function noTarget(passage: Passage): Refused {
  return refuse('upstream_error', `No target answered for ${passage.plan.publicModel}.`);
}
