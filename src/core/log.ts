// What writes log lines; `drivers/log.ts` is the real one. Fields first, then a short sentence.

export type LogFields = Record<string, unknown>;

/** Fields that are JSON already: the members of an object, without its braces. */
export class LogMembers {
  constructor(readonly text: string) {}
}

export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields | LogMembers, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}
