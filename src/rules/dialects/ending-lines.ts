// Pieces that the endings of all wire formats are made of.

import type { StreamReader } from '../../core/dialect.js';
import type { JsonObject } from '../../core/json.js';
import { EventReader } from './event-reader.js';

/** What must stand before an ending of ours, so that it begins on a line of its own. */
export function lineStart(reader: StreamReader | undefined): string {
  return reader instanceof EventReader && reader.owesLf ? '\n' : '';
}

/** A comment line; a line break in it would end the line early and is taken out. */
export function commentLine(comment: string): string {
  return `: ${comment.replace(/[\r\n]+/g, ' ')}\n`;
}

/** An event that carries its type also as the event's name. */
export function namedEvent(event: JsonObject & { type: string }): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
