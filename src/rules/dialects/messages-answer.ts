// What a whole answer of messages says, as the stream reader reads its events.

import type { AnswerReading } from '../../core/dialect.js';
import { isJsonObject, type JsonObject } from '../../core/json.js';
import { contentText } from './messages-event.js';
import { MessagesTally } from './messages-usage.js';

export function readMessagesAnswer(json: JsonObject): AnswerReading {
  const { stop_reason: stopReason, model, usage: told } = json;
  const answer: AnswerReading = {
    anomalies: [],
    finishReason: typeof stopReason === 'string' ? stopReason : null,
    text: contentText(json.content),
  };
  if (typeof model === 'string' && model !== '') answer.model = model;
  if (!isJsonObject(told)) return answer;
  const tally = new MessagesTally();
  tally.add(told);
  const usage = tally.whole;
  return { ...answer, ...(usage && { usage }), anomalies: tally.anomalies };
}
