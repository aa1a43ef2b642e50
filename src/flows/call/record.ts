// Makes the usage event durable before the client's last byte. Where the outbox keeps it too, a
// written record is enough; else it is fsynced.

import { type Passage, type Settlement, stopBeat } from './passage.js';

/** False: the log took nothing, so the client must not be told that all is well. */
export function record(passage: Passage, settlement: Settlement): Promise<boolean> | boolean {
  const { deps, admission } = passage;
  const { event, custodian } = settlement;
  if (!event) return true;
  deps.failpoint('pre_spool');
  const stub = event.stub === admission.stubFields ? admission.stub : undefined;
  const refused = (error: unknown): boolean => {
    const { id } = admission.reserved;
    deps.log.error({ id, error }, 'the usage log took no `ended` record');
    return custodian === 'outbox';
  };
  try {
    const ended = deps.spool.ended(event, custodian === 'outbox' ? 'written' : 'fsync', stub);
    return ended.then(() => {
      deps.failpoint('post_spool');
      return true;
    }, refused);
  } catch (error) {
    return refused(error);
  }
}

/** Ends a call that costs nothing: its hold is given back, and its `sent` record is void. */
export async function releaseUnbilled(passage: Passage): Promise<void> {
  const { deps, admission } = passage;
  const { id } = admission.reserved;
  stopBeat(passage);
  if (passage.sent) {
    await passage.sent;
    deps.spool.released(id);
  }
  try {
    await deps.ledger.release(id);
  } catch (error) {
    // Its lease ends it: at nothing if it was held, at its prompt if it was sent.
    deps.log.warn({ id, error }, 'a hold could not be released; its lease will end it');
  }
}
