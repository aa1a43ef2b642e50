// A report in few figures: for the row of the turn, and for a header.

import type { BudgetReport, PromptFigures } from '../../core/prompt.js';

const TOP_KEYS = 3;
const HEADER_KEYS = 8;
/** The figures travel in a call's stub, which is small. */
const KEY_UNITS = 32;

export function promptFigures(report: BudgetReport, rejects: number): PromptFigures {
  const topKeys = report.trims
    .map(({ key, removed_tokens }) => ({ key: key.slice(0, KEY_UNITS), removed_tokens }))
    .sort((left, right) => right.removed_tokens - left.removed_tokens)
    .slice(0, TOP_KEYS);
  const { before, after, trims } = report;
  return { tokensBefore: before, tokensAfter: after, trimsCount: trims.length, topKeys, rejects };
}

/**
 * `x-purser-prompt-tokens`, and `x-purser-trimmed` where anything was: a list of slots as
 * RFC 9651 has it, `"history";tokens=168000;chars=670112`. Keys are percent-encoded.
 */
export function promptHeaders(report: BudgetReport): Record<string, string> {
  const headers: Record<string, string> = { 'x-purser-prompt-tokens': String(report.after) };
  const trimmed = report.trims
    .slice(0, HEADER_KEYS)
    .map(
      ({ key, removed_tokens, removed_chars }) =>
        `"${encodeURIComponent(key)}";tokens=${removed_tokens};chars=${removed_chars}`,
    );
  if (trimmed.length > 0) headers['x-purser-trimmed'] = trimmed.join(', ');
  return headers;
}
