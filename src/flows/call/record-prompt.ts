// Keeps what prompt an admitted call was sent with, where it was fitted; behind the call.

import type { Call, Caller } from '../../core/call.js';
import type { CallDeps } from './deps.js';
import type { Admission } from './reserve.js';

export function keepSnapshot(
  { prompts }: CallDeps,
  { body, prompt }: Call,
  caller: Caller,
  admission: Admission,
): void {
  const span = body.members.get('messages');
  if (prompt === undefined || span === undefined) return;
  prompts.snapshots.keep({
    reservationId: admission.reserved.id,
    agentId: caller.attribution.agentId ?? null,
    templateId: prompt.templateId,
    prompt: body.raw.subarray(span.valueStart, span.valueEnd),
    report: prompt.report,
  });
}
