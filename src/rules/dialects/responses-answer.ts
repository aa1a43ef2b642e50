// What a whole answer of responses says, as the stream reader reads its events.

import type { AnswerReading } from '../../core/dialect.js';
import { isJsonObject, type JsonObject } from '../../core/json.js';
import { idOf, tierOf } from './answer-id.js';
import { finishOf, itemName, itemText } from './responses-event.js';
import { isWebSearch, readResponsesUsage, unpricedItem } from './responses-usage.js';

export function readResponsesAnswer(json: JsonObject): AnswerReading {
  const output = Array.isArray(json.output) ? json.output : [];
  const text = output.map((item) => itemName(item) + itemText(item)).join('');
  const notes = output.map(unpricedItem);
  const anomalies = [...new Set(notes.filter((note) => note !== undefined))];
  const answer: AnswerReading = { anomalies, finishReason: finishOf(json), text };
  if (typeof json.model === 'string' && json.model !== '') answer.model = json.model;
  const tier = tierOf(json);
  if (tier !== undefined) answer.serviceTier = tier;
  const id = idOf(json);
  if (id !== undefined) answer.id = id;
  if (!isJsonObject(json.usage)) return answer;
  const told = readResponsesUsage(json.usage, output.filter(isWebSearch).length);
  const usage = told.usage && { usage: told.usage };
  return { ...answer, ...usage, anomalies: [...anomalies, ...told.anomalies] };
}
