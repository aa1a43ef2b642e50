// What a whole answer of chat completions says, as the stream reader reads its events.

import type { ProviderQuirks } from '../../core/call.js';
import type { AnswerReading } from '../../core/dialect.js';
import { isJsonObject, type JsonObject } from '../../core/json.js';
import { idOf, tierOf } from './answer-id.js';
import { outputText } from './chat-event.js';
import { completeUsage, readChatUsage, usageMember } from './chat-usage.js';

export function readChatAnswer(json: JsonObject, quirks: ProviderQuirks): AnswerReading {
  const choices = Array.isArray(json.choices) ? json.choices : [];
  let finishReason: string | null = null;
  for (const choice of choices) {
    if (isJsonObject(choice) && typeof choice.finish_reason === 'string') {
      finishReason = choice.finish_reason;
    }
  }
  const answer: AnswerReading = { anomalies: [], finishReason, text: outputText(choices) };
  if (typeof json.model === 'string' && json.model !== '') answer.model = json.model;
  const tier = tierOf(json);
  if (tier !== undefined) answer.serviceTier = tier;
  const id = idOf(json);
  if (id !== undefined) answer.id = id;
  const told = usageMember(json);
  if (!told) return answer;
  const reading = readChatUsage(told, quirks);
  const { usage, source } = completeUsage(reading, { inputTokens: 0, outputTokens: 0 });
  if (source === 'provider') answer.usage = usage;
  answer.anomalies = reading.anomalies;
  return answer;
}
