// Reads the usage object of chat completions, of every provider that speaks them, into disjoint
// classes. A field is a whole number from 0 to 1e12 or it is refused, by itself, and named; an
// explicit 0 is 0, a field that is absent stays unknown, so that the caller counts it.

import { isJsonObject, type JsonObject } from '../../core/json.js';
import type { Usage } from '../../core/usage.js';
import { isCount, UsageFields } from './usage-fields.js';

export interface ChatUsageQuirks {
  /** Reasoning tokens are not inside `completion_tokens` (xAI, Google). */
  reasoningOutsideOutput: boolean;
}

type InputClasses = Omit<
  Usage,
  'output' | 'reasoning' | 'audioOutput' | 'requests' | 'webSearches'
>;
type OutputClasses = Pick<Usage, 'output' | 'reasoning' | 'audioOutput'>;

export interface ChatUsage {
  /** Undefined: not told, or refused; count it yourself. */
  input: InputClasses | undefined;
  output: OutputClasses | undefined;
  webSearches: number;
  /** What the provider says that it charges, where it says so. */
  reportedNanoUsd?: number;
  /** Each field that was refused, and why: `prompt_tokens: -1`. */
  anomalies: string[];
}

/** The usage object of a chunk or an answer, or undefined where it carries none. */
export function usageMember(event: JsonObject): JsonObject | undefined {
  const { usage, x_groq: groq } = event;
  if (isJsonObject(usage)) return usage;
  return isJsonObject(groq) && isJsonObject(groq.usage) ? groq.usage : undefined;
}

export function readChatUsage(usage: JsonObject, quirks: ChatUsageQuirks): ChatUsage {
  const fields = new UsageFields(usage);
  const input = readInput(fields);
  const output = readOutput(fields, quirks);
  const searches = fields.own('num_search_queries') ?? fields.own('num_sources_used');
  const reading: ChatUsage = {
    input,
    output,
    webSearches: searches ?? fields.of('server_tool_use', 'web_search_requests') ?? 0,
    anomalies: fields.anomalies,
  };
  const reported = reportedNanoUsd(usage);
  if (reported !== undefined) reading.reportedNanoUsd = reported;
  return reading;
}

/** Fills what the provider did not tell with what was counted here. */
export function completeUsage(
  reading: ChatUsage,
  counted: { inputTokens: number; outputTokens: number },
): { usage: Usage; source: 'provider' | 'counted' } {
  const { input, output, webSearches } = reading;
  const usage: Usage = {
    input: input ? input.input : counted.inputTokens,
    cachedRead: input ? input.cachedRead : 0,
    cacheWrite5m: input ? input.cacheWrite5m : 0,
    cacheWrite1h: input ? input.cacheWrite1h : 0,
    output: output ? output.output : counted.outputTokens,
    reasoning: output ? output.reasoning : 0,
    audioInput: input ? input.audioInput : 0,
    audioOutput: output ? output.audioOutput : 0,
    imageInput: input ? input.imageInput : 0,
    requests: 1,
    webSearches,
  };
  const told = input !== undefined && output !== undefined;
  return { usage, source: told ? 'provider' : 'counted' };
}

function readInput(fields: UsageFields): InputClasses | undefined {
  const prompt = fields.own('prompt_tokens');
  const hit = fields.own('prompt_cache_hit_tokens');
  const cached = fields.of('prompt_tokens_details', 'cached_tokens');
  const top = fields.own('cached_tokens');
  if (cached !== undefined && hit !== undefined && cached !== hit) {
    fields.refuse('prompt_cache_hit_tokens', `${hit}, but cached_tokens is ${cached}`);
  }
  const detail = (name: string) => fields.of('prompt_tokens_details', name) ?? 0;
  const audio = detail('audio_tokens');
  const image = detail('image_tokens');
  const write = detail('cache_write_tokens') || detail('cache_creation_input_tokens');
  const citations = fields.own('citation_tokens') ?? 0;
  if (prompt === undefined) return undefined;

  // The parts are taken from the prompt in turn. Cached reads, being cheapest, are refused where
  // they do not fit; sound and pictures may themselves be cached, so they only fill the rest.
  let rest = prompt;
  const take = (name: string, count: number): number => {
    if (count > rest) return fields.refuse(name, `${count} of ${prompt} prompt tokens`);
    rest -= count;
    return count;
  };
  const cachedRead = take('cached_tokens', cached ?? hit ?? top ?? 0);
  const cacheWrite5m = take('cache_write_tokens', write);
  const audioInput = Math.min(audio, rest);
  const imageInput = Math.min(image, rest - audioInput);
  const input = rest - audioInput - imageInput + citations;
  return { input, cachedRead, cacheWrite5m, cacheWrite1h: 0, audioInput, imageInput };
}

function readOutput(fields: UsageFields, quirks: ChatUsageQuirks): OutputClasses | undefined {
  const completion = fields.own('completion_tokens');
  const told = fields.of('completion_tokens_details', 'reasoning_tokens');
  // Perplexity names it at the top, and bills it beside the completion.
  const beside = fields.own('reasoning_tokens');
  const audio = fields.of('completion_tokens_details', 'audio_tokens') ?? 0;
  if (completion === undefined) return undefined;

  const outside = beside ?? reasoningOutside(fields, completion, told, quirks);
  let rest = completion;
  let reasoning = outside ?? told ?? 0;
  if (outside === undefined) {
    if (reasoning > rest) {
      reasoning = fields.refuse('reasoning_tokens', `${reasoning} of ${rest} completion tokens`);
    }
    rest -= reasoning;
  }
  let audioOutput = audio;
  if (audio > rest)
    audioOutput = fields.refuse('audio_tokens', `${audio} of ${rest} output tokens`);
  return { output: rest - audioOutput, reasoning, audioOutput };
}

// The sum decides where it can: what it has beyond prompt and completion is the reasoning. Where
// it cannot, the provider's quirk does.
function reasoningOutside(
  fields: UsageFields,
  completion: number,
  told: number | undefined,
  quirks: ChatUsageQuirks,
): number | undefined {
  const [prompt, total] = [fields.own('prompt_tokens'), fields.own('total_tokens')];
  if (prompt === undefined || total === undefined) {
    return quirks.reasoningOutsideOutput ? (told ?? 0) : undefined;
  }
  const beyond = total - prompt - completion;
  if (beyond < 0) {
    fields.refuse('total_tokens', `${total}, but its parts are ${prompt + completion}`);
    return quirks.reasoningOutsideOutput ? (told ?? 0) : undefined;
  }
  if (beyond === 0)
    return quirks.reasoningOutsideOutput && (told ?? 0) > completion ? told : undefined;
  if (told !== undefined && told !== beyond) {
    fields.refuse('reasoning_tokens', `${told}, but the total leaves ${beyond}`);
  }
  if (quirks.reasoningOutsideOutput) return Math.max(beyond, told ?? 0);
  if (told === beyond) return beyond;
  if (told === undefined) fields.refuse('total_tokens', `${total} has ${beyond} without a class`);
  return undefined;
}

// xAI tells ticks of 1e-10 USD; OpenRouter and Perplexity tell USD as a float.
function reportedNanoUsd(usage: JsonObject): number | undefined {
  const { cost_in_usd_ticks: ticks, cost } = usage;
  if (isCount(ticks)) return Math.ceil(ticks / 10);
  const usd = isJsonObject(cost) ? cost.total_cost : cost;
  if (typeof usd !== 'number' || !(usd >= 0 && usd < 1e6)) return undefined;
  return Math.round(usd * 1e9);
}
