// Reads the usage of messages, which a stream tells in pieces, into disjoint classes: the maximum
// of each field over all pieces, since each is a running total. Thinking is part of the output
// count; cache writes have two prices, by how long they are kept.

import { isJsonObject, type JsonObject } from '../../core/json.js';
import { NO_USAGE, type Usage } from '../../core/usage.js';
import { UsageFields } from './usage-fields.js';

/** Counts as told; undefined: not told, or refused. */
interface Told {
  input?: number;
  cacheRead?: number;
  /** All cache writes together. */
  cacheWrite?: number;
  write5m?: number;
  write1h?: number;
  output?: number;
  thinking?: number;
  webSearches?: number;
}

// Other runs of tools on the server that are known to cost nothing beyond their tokens.
const FREE_TOOLS = new Set(['web_search_requests', 'web_fetch_requests']);
const STANDARD_GEO = new Set(['global', 'not_available']);

export class MessagesTally {
  readonly anomalies: string[] = [];
  #told: Told = {};

  /** Answers whether this piece told an output count that can be taken. */
  add(usage: JsonObject): boolean {
    const told = mergeMax(this.#read(usage), this.#readIterations(usage));
    this.#told = mergeMax(this.#told, told);
    this.#noteUnpriced(usage);
    return told.output !== undefined;
  }

  /** The prompt's classes; undefined until `input_tokens` has been told. */
  get input(): Usage | undefined {
    const { input, cacheRead = 0, webSearches = 0 } = this.#told;
    if (input === undefined) return undefined;
    const writes = this.#cacheWrites();
    return { ...NO_USAGE, input, cachedRead: cacheRead, ...writes, requests: 1, webSearches };
  }

  /** Undefined until both sides have been told. */
  get whole(): Usage | undefined {
    const { input } = this;
    const { output, thinking = 0 } = this.#told;
    if (input === undefined || output === undefined) return undefined;
    if (thinking > output) {
      this.#note(`thinking_tokens: ${thinking} of ${output} output tokens`);
      return { ...input, output };
    }
    return { ...input, output: output - thinking, reasoning: thinking };
  }

  #read(usage: JsonObject): Told {
    const fields = new UsageFields(usage);
    const told = {
      input: fields.own('input_tokens'),
      cacheRead: fields.own('cache_read_input_tokens'),
      cacheWrite: fields.own('cache_creation_input_tokens'),
      write5m: fields.of('cache_creation', 'ephemeral_5m_input_tokens'),
      write1h: fields.of('cache_creation', 'ephemeral_1h_input_tokens'),
      output: fields.own('output_tokens'),
      thinking: fields.of('output_tokens_details', 'thinking_tokens'),
      webSearches: fields.of('server_tool_use', 'web_search_requests'),
    };
    for (const anomaly of fields.anomalies) this.#note(anomaly);
    return withoutUndefined(told);
  }

  // Compaction and advice are further samplings, which the top-level counts leave out: what is
  // billed is the sum over all of them.
  #readIterations({ iterations }: JsonObject): Told {
    let sum: Told = {};
    if (!Array.isArray(iterations)) return sum;
    for (const iteration of iterations) {
      if (!isJsonObject(iteration)) continue;
      sum = merge(sum, this.#read(iteration), (left, right) => left + right);
      if (typeof iteration.model === 'string') {
        this.#note(`iterations: ${iteration.model.slice(0, 80)} was priced as the main model`);
      }
    }
    return sum;
  }

  #cacheWrites(): Pick<Usage, 'cacheWrite5m' | 'cacheWrite1h'> {
    const { cacheWrite, write5m = 0, write1h = 0 } = this.#told;
    const rest = (cacheWrite ?? 0) - write5m - write1h;
    if (rest < 0 && cacheWrite !== undefined) {
      this.#note(`cache_creation: ${write5m + write1h} of ${cacheWrite} tokens written`);
    }
    if (rest <= 0) return { cacheWrite5m: write5m, cacheWrite1h: write1h };
    // Five minutes are the default. Where an hour was asked for, the rest is taken for the dearer.
    if (write1h === 0) return { cacheWrite5m: write5m + rest, cacheWrite1h: 0 };
    if (write5m > 0) this.#note(`cache_creation: ${rest} of ${cacheWrite} tokens without a class`);
    return { cacheWrite5m: write5m, cacheWrite1h: write1h + rest };
  }

  #noteUnpriced({ server_tool_use: tools, speed, inference_geo: geo }: JsonObject): void {
    if (isJsonObject(tools)) {
      for (const [name, count] of Object.entries(tools)) {
        if (FREE_TOOLS.has(name) || typeof count !== 'number' || count <= 0) continue;
        this.#note(`server_tool_use.${name.slice(0, 40)}: its fee is not priced`);
      }
    }
    if (speed === 'fast') this.#note('speed: fast was priced as standard');
    if (typeof geo === 'string' && geo !== '' && !STANDARD_GEO.has(geo)) {
      this.#note(`inference_geo: ${geo.slice(0, 40)} was priced as global`);
    }
  }

  #note(anomaly: string): void {
    if (!this.anomalies.includes(anomaly)) this.anomalies.push(anomaly);
  }
}

function mergeMax(left: Told, right: Told): Told {
  return merge(left, right, Math.max);
}

function merge(left: Told, right: Told, join: (left: number, right: number) => number): Told {
  const merged: Told = { ...left };
  for (const key of Object.keys(right) as (keyof Told)[]) {
    const [before, added] = [left[key], right[key]];
    if (added !== undefined) merged[key] = before === undefined ? added : join(before, added);
  }
  return merged;
}

function withoutUndefined(told: { [K in keyof Told]: number | undefined }): Told {
  const known: Told = {};
  for (const [key, count] of Object.entries(told)) {
    if (count !== undefined) known[key as keyof Told] = count;
  }
  return known;
}
