// The door to prom-client. The path of a call only adds to plain numbers; they become samples when
// somebody scrapes. Label sets are closed: what a client may choose (a model's name) is admitted
// only up to a number of values, and everything after that counts as `other`.

import { collectDefaultMetrics, Registry } from 'prom-client';
import { type CallMeasure, CallSeries, type Cell, Row } from './call-series.js';

export type { CallMeasure } from './call-series.js';

const LABEL_VALUES_MAX = 200;
const DURATION_S = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const TOKENS = [1, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576];
const OVERHEAD_S = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1];
const SHARE = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1, 1.25, 2];

/** Events that happen beside the path of a call. */
export type Event =
  | 'reservations_reaped'
  | 'reservations_late'
  | 'reservations_overrun'
  | 'ledger_errors'
  | 'usage_events_drained'
  | 'holds_denied';

export interface Metrics {
  call(measure: CallMeasure): void;
  /** Seconds that a verb of the ledger took. */
  ledger(verb: string, seconds: number): void;
  count(event: Event, by?: number): void;
  /** Read when somebody scrapes: queue depth, open holds, drift. NaN while it cannot be read. */
  gauge(name: string, help: string, read: () => number | Promise<number>): void;
  /** The same for each of some models; only so many of them are told by their names. */
  gaugeByModel(
    name: string,
    help: string,
    read: () => readonly { provider: string; model: string; value: number }[],
  ): void;
  text(): Promise<{ contentType: string; text: string }>;
}

export function openMetrics(options: { processMetrics?: boolean } = {}): Metrics {
  const registry = new Registry();
  if (options.processMetrics ?? true) collectDefaultMetrics({ register: registry });
  const all = createSeries(registry);
  const models = limitedLabel();
  const kinds = new Map<string, CallSeries>();
  const counts = new Map<string, Counter>();
  return {
    call(measure) {
      const { operation, status, outcome, code = '', provider = 'none' } = measure;
      const model = models(measure.model);
      const key = `${operation}\n${status}\n${outcome}\n${code}\n${provider}\n${model}`;
      let series = kinds.get(key);
      if (!series) {
        series = new CallSeries(all, measure, model);
        kinds.set(key, series);
      }
      series.add(measure);
    },
    ledger: (verb, seconds) => all.ledger.observe([verb], seconds),
    count(event, by = 1) {
      let counter = counts.get(event);
      if (!counter) {
        counter = counterSeries(registry, `purser_${event}_total`, `${event} since start`, []);
        counts.set(event, counter);
      }
      counter.add([], by);
    },
    gauge(name, help, read) {
      const collect = async () => [{ labels: {}, value: await orNaN(read) }];
      register(registry, name, help, 'gauge', collect);
    },
    gaugeByModel(name, help, read) {
      register(registry, name, help, 'gauge', () =>
        read().flatMap(({ provider, model, value }) => {
          const labels = { gen_ai_provider_name: provider, gen_ai_request_model: model };
          return models(model) === model ? [{ labels, value }] : [];
        }),
      );
    },
    text: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}

function createSeries(registry: Registry) {
  const target = ['gen_ai_operation_name', 'gen_ai_provider_name', 'gen_ai_request_model'];
  const histogram = (name: string, help: string, labels: string[], edges: number[]) =>
    histogramSeries(registry, name, help, labels, edges);
  const operation = ['gen_ai_operation_name'];
  return {
    calls: counterSeries(registry, 'purser_calls_total', 'Calls by how they ended', [
      'gen_ai_operation_name',
      'status',
      'outcome',
      'error_type',
    ]),
    cost: counterSeries(registry, 'purser_cost_usd_total', 'USD booked', [
      'gen_ai_provider_name',
      'gen_ai_request_model',
    ]),
    duration: histogram(
      'gen_ai_client_operation_duration_seconds',
      'From the arrival of a call to its last byte',
      [...target, 'error_type'],
      DURATION_S,
    ),
    firstChunk: histogram(
      'gen_ai_client_operation_time_to_first_chunk_seconds',
      'From the arrival of a call to its first byte',
      target,
      DURATION_S,
    ),
    tokens: histogram(
      'gen_ai_client_token_usage',
      'Tokens of a call',
      [...target, 'gen_ai_token_type'],
      TOKENS,
    ),
    overhead: histogram('purser_overhead_seconds', 'Own time in a call', operation, OVERHEAD_S),
    efficiency: histogram('purser_hold_efficiency', 'Booked / held', target, SHARE),
    ledger: histogram('purser_ledger_seconds', 'Time of a ledger verb', ['verb'], OVERHEAD_S),
  };
}

interface Sample {
  labels: Record<string, string | number>;
  value: number;
  metricName?: string;
}

interface Counter {
  add(values: readonly string[], by?: number): void;
  cell(values: readonly string[]): Cell;
}

function counterSeries(registry: Registry, name: string, help: string, labels: string[]): Counter {
  const totals = new Map<string, Cell>();
  register(registry, name, help, 'counter', () => [...totals.values()]);
  const cell = (values: readonly string[]): Cell => {
    const key = values.join('\n');
    let total = totals.get(key);
    if (!total) {
      total = { labels: nameLabels(labels, values), value: 0 };
      totals.set(key, total);
    }
    return total;
  };
  return {
    cell,
    add(values, by = 1) {
      cell(values).value += by;
    },
  };
}

interface Histogram {
  observe(values: readonly string[], value: number): void;
  row(values: readonly string[]): Row;
}

function histogramSeries(
  registry: Registry,
  name: string,
  help: string,
  labels: string[],
  edges: readonly number[],
): Histogram {
  const rows = new Map<string, Row>();
  register(registry, name, help, 'histogram', () => {
    const samples: Sample[] = [];
    for (const row of rows.values()) {
      let count = 0;
      for (const [index, bucket] of row.buckets.entries()) {
        count += bucket;
        const le = edges[index] ?? '+Inf';
        samples.push({ labels: { ...row.labels, le }, value: count, metricName: `${name}_bucket` });
      }
      samples.push({ labels: row.labels, value: row.sum, metricName: `${name}_sum` });
      samples.push({ labels: row.labels, value: count, metricName: `${name}_count` });
    }
    return samples;
  });
  const rowOf = (values: readonly string[]): Row => {
    const key = values.join('\n');
    let row = rows.get(key);
    if (!row) {
      row = new Row(nameLabels(labels, values), edges);
      rows.set(key, row);
    }
    return row;
  };
  return { row: rowOf, observe: (values, value) => rowOf(values).observe(value) };
}

// What cannot be read just now must not hide all the others.
async function orNaN(read: () => number | Promise<number>): Promise<number> {
  try {
    return await read();
  } catch {
    return Number.NaN;
  }
}

// prom-client writes out whatever has a name and can be asked for its samples.
function register(
  registry: Registry,
  name: string,
  help: string,
  type: 'counter' | 'gauge' | 'histogram',
  collect: () => Sample[] | Promise<Sample[]>,
): void {
  const metric = {
    name,
    get: async () => ({ name, help, type, aggregator: 'sum', values: await collect() }),
  };
  registry.registerMetric(metric as unknown as Parameters<Registry['registerMetric']>[0]);
}

function nameLabels(names: readonly string[], values: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']));
}

function limitedLabel(): (value: string) => string {
  const seen = new Set<string>();
  return (value) => {
    if (seen.has(value)) return value;
    if (seen.size >= LABEL_VALUES_MAX) return 'other';
    seen.add(value);
    return value;
  };
}
