// What a finished call adds to its metrics: plain numbers, whose places are found once for all
// calls of one kind. A series is made when the first call adds to it.

/** What one finished call adds. Times in milliseconds; null where there was none. */
export interface CallMeasure {
  operation: string;
  outcome: string;
  status: number;
  code?: string | undefined;
  provider?: string | undefined;
  model: string;
  inputTokens: number;
  outputTokens: number;
  costNanoUsd: number | null;
  heldNanoUsd: number;
  overheadMs: number;
  firstByteMs: number | null;
  durationMs: number;
}

export interface Cell {
  labels: Record<string, string>;
  value: number;
}

/** One set of labels of a histogram. */
export class Row {
  readonly buckets: number[];
  sum = 0;

  constructor(
    readonly labels: Record<string, string>,
    readonly edges: readonly number[],
  ) {
    this.buckets = new Array<number>(edges.length + 1).fill(0);
  }

  observe(value: number): void {
    const { edges } = this;
    let index = 0;
    while (index < edges.length && value > edges[index]!) index += 1;
    this.buckets[index]! += 1;
    this.sum += value;
  }
}

interface Counters {
  cell(values: readonly string[]): Cell;
}

interface Histograms {
  row(values: readonly string[]): Row;
}

interface AllSeries {
  calls: Counters;
  cost: Counters;
  duration: Histograms;
  firstChunk: Histograms;
  tokens: Histograms;
  overhead: Histograms;
  efficiency: Histograms;
}

/** The series of calls that share all their labels. */
export class CallSeries {
  readonly #all: AllSeries;
  readonly #target: readonly string[];
  readonly #operation: readonly string[];
  readonly #calls: Cell;
  readonly #duration: Row;
  readonly #overhead: Row;
  readonly #provided: { input: Row; output: Row } | undefined;
  #firstChunk: Row | undefined;
  #cost: Cell | undefined;
  #efficiency: Row | undefined;

  constructor(all: AllSeries, measure: CallMeasure, model: string) {
    const { operation, outcome, code = '', provider = 'none' } = measure;
    this.#all = all;
    this.#operation = [operation];
    this.#target = [operation, provider, model];
    this.#calls = all.calls.cell([operation, String(measure.status), outcome, code]);
    this.#duration = all.duration.row([...this.#target, code]);
    this.#overhead = all.overhead.row(this.#operation);
    this.#provided =
      measure.provider === undefined
        ? undefined
        : {
            input: all.tokens.row([...this.#target, 'input']),
            output: all.tokens.row([...this.#target, 'output']),
          };
  }

  add(measure: CallMeasure): void {
    const { firstByteMs, costNanoUsd, heldNanoUsd } = measure;
    this.#calls.value += 1;
    this.#duration.observe(measure.durationMs / 1000);
    this.#overhead.observe(measure.overheadMs / 1000);
    if (!this.#provided) return;
    this.#provided.input.observe(measure.inputTokens);
    this.#provided.output.observe(measure.outputTokens);
    if (firstByteMs !== null) {
      this.#firstChunk ??= this.#all.firstChunk.row(this.#target);
      this.#firstChunk.observe(firstByteMs / 1000);
    }
    if (costNanoUsd === null) return;
    this.#cost ??= this.#all.cost.cell(this.#target.slice(1));
    this.#cost.value += costNanoUsd / 1e9;
    if (heldNanoUsd <= 0) return;
    this.#efficiency ??= this.#all.efficiency.row(this.#target);
    this.#efficiency.observe(costNanoUsd / heldNanoUsd);
  }
}
