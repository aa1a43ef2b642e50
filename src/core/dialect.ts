// What a wire format must be able to do for the flow: write the request for a target, read the
// answer as it passes, and end a stream properly. Dialects are data and pure functions.

import type { CallBody, ProviderQuirks } from './call.js';
import type { Problem } from './errors.js';
import type { JsonObject } from './json.js';
import type { Usage } from './usage.js';

export interface BodyEdits {
  model: string;
  /** The output bound to write into the request; null leaves the client's own. */
  bound: { member: string; tokens: number } | null;
  /** Whether usage is asked of a stream. */
  askUsage: boolean;
}

/** Reads one answering stream: splits it into whole events, and notes what the meter needs. */
export interface StreamReader {
  /** Bytes that may go out in this tick: whole events, the terminator and usage-only ones held. */
  push(chunk: Buffer): readonly Buffer[];
  /** The upstream ended cleanly: what is left of a tail. */
  end(): readonly Buffer[];
  /**
   * What the last push handed out did not go out: an ending is written as if it had not come. Text
   * and usage stay read, since the provider bills them.
   */
  retract(): void;
  /** Output text seen since the last take; to be counted. */
  takeText(): string;
  readonly textEvents: number;
  readonly usage: Usage | undefined;
  /** The prompt's classes where they are told before the output's; all output classes are 0. */
  readonly inputUsage: Usage | undefined;
  readonly anomalies: readonly string[];
  readonly model: string | undefined;
  /** The provider's own id of its answer. */
  readonly answerId: string | undefined;
  /** The tier of service that the answer reports. */
  readonly serviceTier: string | undefined;
  readonly finishReason: string | null;
  readonly sawChoiceFinished: boolean;
  readonly terminated: boolean;
  /** The message of an error event inside the stream. */
  readonly failure: string | undefined;
  /** A part of an event over the cap has gone out: only closing may follow, no event of ours. */
  readonly midEvent: boolean;
}

/** What a whole (not streamed) answer says. */
export interface AnswerReading {
  usage?: Usage;
  anomalies: readonly string[];
  finishReason: string | null;
  text: string;
  model?: string;
  /** The provider's own id of the answer. */
  id?: string;
  serviceTier?: string;
}

/** What an ending tells that the gateway writes because the money ended. */
export interface Cut {
  usage: Usage;
  /** One line without its colon. */
  comment: string;
  /** Stands as `purser` in the last event of wire formats whose clients pass it on. */
  purser: JsonObject;
}

export interface Dialect {
  writeBody(body: CallBody, edits: BodyEdits): Uint8Array[];
  createReader(options: { wantsUsage: boolean; quirks: ProviderQuirks }): StreamReader;
  readAnswer(json: JsonObject, quirks: ProviderQuirks): AnswerReading;
  /**
   * The terminator with our comment line in its own block. Where the terminator says more than
   * that the stream is over, it is the one that the reader held back.
   */
  writeDone(comment: string, reader?: StreamReader): Buffer;
  /** An error event, after which the connection closes without a terminator. */
  writeFailure(problem: Problem, reader?: StreamReader): Buffer;
  /**
   * A proper end of a stream whose money ended: what the reader saw open is closed, usage is told,
   * and the terminator follows. Not to be written while `reader.midEvent`.
   */
  writeCut(reader: StreamReader, cut: Cut): Buffer;
}
