// A conversation as parts that can be cut: its system messages and the last user message stay;
// everything else is rounds, in which a tool call and its results are one. The oldest round goes
// first; the user message that opened an exchange stays as long as any round of it does, so that
// what is left never begins with an answer without its question.

import { isJsonObject, type Json, type JsonObject } from '../../core/json.js';

export interface Conversation {
  /** Indices of the system and developer messages. */
  system: readonly number[];
  /** Index of the last user message. */
  input: number | undefined;
  /** Indices of messages, the newest round first. */
  rounds: readonly (readonly number[])[];
}

/** Messages in the order of the text that belong together; apart from the protected, unbroken. */
interface Unit {
  indices: number[];
  /** It is a user message, which opens an exchange. */
  opens: boolean;
}

export function readConversation(messages: readonly Json[]): Conversation {
  const system: number[] = [];
  const input = messages.findLastIndex((message) => roleOf(message) === 'user');
  const units: Unit[] = [];
  const callers = new Map<string, Unit>();
  for (const [index, message] of messages.entries()) {
    const role = roleOf(message);
    if (role === 'system' || role === 'developer') system.push(index);
    else if (index === input) units.push({ indices: [], opens: true });
    else if (role === 'tool' || role === 'function') joinResult(units, callers, message, index);
    else {
      const unit = { indices: [index], opens: role === 'user' };
      units.push(unit);
      for (const id of callIds(message)) callers.set(id, unit);
    }
  }
  return { system, input: input === -1 ? undefined : input, rounds: roundsOf(units) };
}

// A result joins its call, and so does everything between them. One that names no known call
// belongs to what is before it.
function joinResult(
  units: Unit[],
  callers: Map<string, Unit>,
  message: Json | undefined,
  index: number,
): void {
  const id = isJsonObject(message) ? message.tool_call_id : undefined;
  const caller = typeof id === 'string' ? callers.get(id) : undefined;
  const at = caller === undefined ? units.length - 1 : units.lastIndexOf(caller);
  const unit = units[at];
  if (unit === undefined || (unit.opens && caller === undefined)) {
    units.push({ indices: [index], opens: false });
    return;
  }
  for (const between of units.splice(at + 1)) {
    unit.indices.push(...between.indices);
    for (const [key, owner] of callers) if (owner === between) callers.set(key, unit);
  }
  unit.indices.push(index);
}

function roundsOf(units: readonly Unit[]): number[][] {
  const rounds: number[][] = [];
  let newest: number[] | undefined;
  for (const unit of units.toReversed()) {
    if (!unit.opens) {
      const round = [...unit.indices];
      newest ??= round;
      rounds.push(round);
    } else {
      if (newest) newest.push(...unit.indices);
      else if (unit.indices.length > 0) rounds.push([...unit.indices]);
      newest = undefined;
    }
  }
  return rounds;
}

function roleOf(message: Json | undefined): Json | undefined {
  return isJsonObject(message) ? message.role : undefined;
}

function callIds(message: Json | undefined): string[] {
  if (!isJsonObject(message) || !Array.isArray(message.tool_calls)) return [];
  return message.tool_calls.flatMap((call) =>
    isJsonObject(call) && typeof call.id === 'string' ? [call.id] : [],
  );
}

/** The one text of a message that may be cut; undefined where it has none, or several. */
export function cuttableText(message: JsonObject): string | undefined {
  const { content } = message;
  if (typeof content === 'string') return content;
  const parts = textParts(content);
  return parts.length === 1 ? (parts[0]!.text as string) : undefined;
}

/** The message's content with its one text replaced. */
export function withText(message: JsonObject, text: string): Json {
  const { content } = message;
  if (!Array.isArray(content)) return text;
  const [only] = textParts(content);
  return content.map((part) => (part === only ? { ...only, text } : part));
}

function textParts(content: Json | undefined): JsonObject[] {
  if (!Array.isArray(content)) return [];
  return content
    .filter(isJsonObject)
    .filter((part) => part.type === 'text' && typeof part.text === 'string');
}
