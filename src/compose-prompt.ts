// What fits prompts to their budgets, and writes down what was trimmed.

import type { Clock } from './core/clock.js';
import type { Log } from './core/log.js';
import type { Database } from './drivers/database.js';
import type { FitDeps } from './flows/call/fit.js';
import { chatPieces, PUBLISHED_OVERHEADS, WIDE_OVERHEADS } from './rules/tokens/chat-pieces.js';
import { encodingOf } from './rules/tokens/encoding.js';
import { createPromptSnapshots } from './stores/prompt/snapshots.js';
import { createPromptTemplates } from './stores/prompt/templates.js';
import type { TokenCounts } from './stores/token-counts.js';

export interface PromptParts {
  database: Database;
  clock: Clock;
  log: Log;
  counts: TokenCounts;
  /** Folders in which projects may have rules files; none: they are off. */
  rulesRoots: readonly string[];
  /** Whether the text of prompts is written down, beside its hash. */
  keepText: boolean;
}

export function composePrompt(parts: PromptParts) {
  const { database, clock, log, counts, rulesRoots, keepText } = parts;
  const fit: FitDeps = {
    clock,
    piecesOf(body, { provider, model }) {
      const known = encodingOf(provider.name, model) !== undefined;
      return chatPieces(body, model, known ? PUBLISHED_OVERHEADS : WIDE_OVERHEADS);
    },
    countEach: (texts, { provider, model }) =>
      counts.countEach(encodingOf(provider.name, model), texts),
    countsExactly: ({ provider, model }) => encodingOf(provider.name, model) !== undefined,
    templates: createPromptTemplates({ database, clock, rulesFiles: { roots: rulesRoots } }),
  };
  return { fit, snapshots: createPromptSnapshots({ database, clock, log, keepText }) };
}
