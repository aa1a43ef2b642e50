// The path of one request, on one screen. Each step's output is the next one's only input; a step
// that says no ends the call there. Whatever is held ends: finalized, or released.

import type { Call } from '../../core/call.js';
import { CodedError, isRefused, type Refused, refuse } from '../../core/errors.js';
import type { CallDeps } from './deps.js';
import { endLeft, endUnanswered, passOn, refused, rescue, unansweredUsage } from './endings.js';
import { estimate } from './estimate.js';
import type { Head } from './exchange.js';
import { fitPrompt } from './fit.js';
import { type Forwarded, forward } from './forward.js';
import { passUnbilled } from './pass-unbilled.js';
import { beatFor, openPassage, type Passage, type Settlement, stopBeat } from './passage.js';
import { keepSnapshot } from './record-prompt.js';
import { reserve } from './reserve.js';
import { resolve, withTargets } from './resolve.js';
import { answerStream } from './stream-answer.js';
import { summarise, summariseRefusal } from './summary.js';
import { unheldDeps } from './unheld.js';
import { answerWhole } from './whole-answer.js';

/** Answers the call through its sink, or hands back why not: the edge writes that. */
export type Handle = (call: Call) => Promise<Refused | undefined>;

export function createHandle(deps: CallDeps): Handle {
  return async (asked) => {
    const closed = deps.refuseNew();
    if (closed) return closed;
    const known = deps.authenticate(asked);
    if (isRefused(known)) return known;
    const resolved = resolve(deps, asked, known);
    if (isRefused(resolved)) return summariseRefusal(deps, asked, resolved);
    const { caller, plan } = withTargets(deps, known, resolved);
    if (asked.operation === 'count_tokens') return passUnbilled(deps, asked, plan);
    const fitting = fitPrompt(deps.prompts.fit, asked, caller, plan);
    const fitted = fitting && (await fitting);
    if (isRefused(fitted)) return summariseRefusal(deps, asked, fitted);
    const call = fitted ? { ...asked, body: fitted.body, prompt: fitted } : asked;
    const estimating = estimate(deps, call, caller, plan);
    const estimated = estimating instanceof Promise ? await estimating : estimating;
    if (isRefused(estimated)) return summariseRefusal(deps, call, estimated);
    deps.failpoint('pre_reserve');
    const reserving = reserve(deps, call, caller, plan, estimated);
    const admission = reserving instanceof Promise ? await reserving : reserving;
    if (isRefused(admission)) return summariseRefusal(deps, call, admission);
    keepSnapshot(deps, call, caller, admission);
    const own = admission.unheld ? unheldDeps(deps) : deps;
    const passage = openPassage(own, call, caller, plan, admission.shrunk ?? estimated, admission);
    beatFor(passage);
    let settled = false;
    try {
      const forwarded = await forward(passage);
      settled = forwarded.kind !== 'answering';
      if (forwarded.kind !== 'answering') return await conclude(passage, forwarded);
      const { head } = forwarded;
      const settlement = await answer(passage, head);
      settled = true;
      summarise(passage, settlement, { status: head.status });
      return undefined;
    } catch (error) {
      return await failed(passage, error, settled);
    } finally {
      stopBeat(passage);
    }
  };
}

async function failed(passage: Passage, error: unknown, settled: boolean) {
  const coded = error instanceof CodedError;
  if (!coded) {
    const id = passage.admission.reserved.id;
    passage.deps.log.error({ id, requestId: passage.call.requestId, error }, 'a call failed');
  }
  if (!coded && !settled) await rescue(passage);
  const refusal = coded ? { refused: error.problem } : refuse('internal_error', 'Our own fault.');
  return refused(passage, passage.overruled ?? refusal);
}

function answer(passage: Passage, head: Head): Promise<Settlement> {
  const { call, deps, exchange } = passage;
  const dialect = deps.dialects[call.operation];
  if (!exchange || !dialect) throw new CodedError('internal_error', 'No dialect for this call.');
  const streamed = head.headers['content-type']?.startsWith('text/event-stream') ?? false;
  const answerAs = call.body.stream && streamed ? answerStream : answerWhole;
  return answerAs(passage, dialect, head, exchange);
}

async function conclude(
  passage: Passage,
  forwarded: Exclude<Forwarded, { kind: 'answering' }>,
): Promise<Refused | undefined> {
  switch (forwarded.kind) {
    case 'passed':
      return passOn(passage, forwarded.head);
    case 'failed':
      await endUnanswered(passage, forwarded.outcome);
      return refused(passage, passage.overruled ?? forwarded.refusal);
    case 'ended':
      await endUnanswered(passage, 'upstream_died', unansweredUsage(passage));
      return refused(passage, forwarded.refusal);
    case 'client_left':
      await endLeft(passage);
      return undefined;
  }
}
