// What fitting a prompt to its budget did, as rows, headers and reports tell it.

export interface Trim {
  key: string;
  /** UTF-16 units, the marker that took their place not counted. */
  removed_chars: number;
  /** What the prompt has less for it: the marker is counted. */
  removed_tokens: number;
}

/** As `prompt_snapshots.budget_report` keeps it. */
export interface BudgetReport {
  /** Tokens of the whole prompt, frames and tools included. */
  before: number;
  after: number;
  /** In the order in which slots are cut. */
  trims: readonly Trim[];
  /** `code` or `code:slot`: see docs/prompt-budget.md. */
  warnings: readonly string[];
}

/** A prompt that was fitted, beside its call. */
export interface FittedPrompt {
  report: BudgetReport;
  /** For the turn's row. */
  figures: PromptFigures;
  /** For the answer. */
  headers: Readonly<Record<string, string>>;
  templateId: string | null;
}

/** What `turn_metrics` keeps of it. */
export interface PromptFigures {
  tokensBefore: number;
  tokensAfter: number;
  trimsCount: number;
  /** At most three, the largest first. */
  topKeys: readonly { key: string; removed_tokens: number }[];
  /** Slots of which nothing was kept. */
  rejects: number;
}
