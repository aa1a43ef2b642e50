// What a caller may ask about itself: the models that its key may use, and its own budgets as they
// stand now. Only envelopes that are visible to callers are told.

import type { Call, Caller } from '../../core/call.js';
import type { Balance, Envelope } from '../../core/envelope.js';
import { available } from '../../core/envelope.js';
import { isRefused, type Problem, type Refused, refuse } from '../../core/errors.js';
import { formatUsd } from '../../core/money.js';
import { answerJson, answerProblem, type Exchange } from './exchange.js';

export interface ModelCard {
  id: string;
  ownedBy: string;
  /** Seconds since 1970; 0 where nobody knows. */
  createdAtS?: number;
}

export interface EnvelopeState {
  envelope: Envelope;
  balance: Balance;
  /** Undefined for the period `ever`. */
  resetsAtMs: number | undefined;
}

export interface CallerDoorsDeps {
  authenticate(part: Pick<Call, 'credential' | 'claims'>): Caller | Refused;
  /** The models that this caller may use. */
  listModels(caller: Caller): readonly ModelCard[];
  /** The caller's own envelopes as the ledger has them now. */
  budgetOf(caller: Caller): Promise<readonly EnvelopeState[]>;
}

export interface CallerDoors {
  listModels(exchange: Exchange): void;
  showModel(exchange: Exchange, id: string): void;
  showBudget(exchange: Exchange): Promise<void>;
}

export function createCallerDoors(deps: CallerDoorsDeps): CallerDoors {
  const identify = (exchange: Exchange): Caller | undefined => {
    const { credential, claims } = exchange.said;
    const caller = isRefused(credential) ? credential : deps.authenticate({ credential, claims });
    if (!isRefused(caller)) return caller;
    answerProblem(exchange, caller.refused);
    return undefined;
  };
  return {
    listModels(exchange) {
      const caller = identify(exchange);
      if (!caller) return;
      const list = deps.listModels(caller).map(modelJson);
      answerJson(exchange, 200, { object: 'list', data: list });
    },
    showModel(exchange, id) {
      const caller = identify(exchange);
      if (!caller) return;
      const card = deps.listModels(caller).find((one) => one.id === id);
      if (card) answerJson(exchange, 200, modelJson(card));
      else answerProblem(exchange, notFound(id));
    },
    async showBudget(exchange) {
      const caller = identify(exchange);
      if (!caller) return;
      const states = await deps.budgetOf(caller);
      const list = states.filter((state) => state.envelope.visible).map(budgetJson);
      answerJson(exchange, 200, { object: 'list', data: list });
    },
  };
}

function modelJson(card: ModelCard): object {
  return { id: card.id, object: 'model', created: card.createdAtS ?? 0, owned_by: card.ownedBy };
}

function notFound(id: string): Problem {
  const message = `The model ${JSON.stringify(id.slice(0, 200))} is not known to this key.`;
  return refuse('model_not_found', message, { param: 'model' }).refused;
}

export function budgetJson({ envelope, balance, resetsAtMs }: EnvelopeState): object {
  const remaining = available(balance);
  const amount = (value: number | null) =>
    value !== null && envelope.unit === 'nano_usd' ? formatUsd(value) : value;
  return {
    object: 'budget',
    envelope: envelope.id,
    scope: envelope.scope,
    unit: envelope.unit === 'nano_usd' ? 'usd' : envelope.unit,
    period: envelope.period,
    label: balance.label,
    mode: envelope.mode,
    limit: amount(balance.limit),
    spent: amount(balance.committed),
    reserved: amount(balance.reserved),
    remaining: amount(remaining),
    resets_at: resetsAtMs === undefined ? null : new Date(resetsAtMs).toISOString(),
  };
}
