// What the model is fed: calls of the ledger and what came back.

import type { Ledger } from '#src/stores/ledger/ledger.js';
import type { Verb } from '../contract/ledger-contract.js';

/** One call: the verb and its parameters. */
export type Operation = {
  [V in Verb]: { verb: V; request: Parameters<Ledger[V]>[0] };
}[Verb];

/** The members that replies have in common, and all others by name. */
export interface AnyReply {
  answer: string;
  balances: readonly object[];
  seq: number;
  epoch: number;
  timeMs: number;
  [member: string]: unknown;
}

export interface Entry {
  operation: Operation;
  reply: AnyReply;
}

export async function call(ledger: Ledger, operation: Operation): Promise<AnyReply> {
  const verb = ledger[operation.verb] as (request: unknown) => Promise<unknown>;
  return (await verb.call(ledger, operation.request)) as AnyReply;
}
