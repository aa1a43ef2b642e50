// What Redis is to have run before it is told anew a script that it has forgotten, as it has all of
// them when it starts: so nothing else runs first after a start.

import type { ScriptCall } from './redis-interface.js';
import { plainly } from './redis-prepared.js';

export class Preface {
  #call: ScriptCall | undefined;
  #running: Promise<unknown> | undefined;

  set(call: ScriptCall): void {
    this.#call = call;
  }

  /** Once for all that wait for it at the same time; rejects where it was not done. */
  done(send: (name: 'eval', args: readonly string[]) => Promise<unknown>): Promise<unknown> {
    if (!this.#call) return Promise.resolve();
    const { text } = this.#call.script;
    this.#running ??= send('eval', [text, ...plainly(this.#call)]).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }
}
