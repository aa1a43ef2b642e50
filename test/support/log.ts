// A log that a test can read.

import type { Log, LogFields } from '#src/core/log.js';

export interface TestLog extends Log {
  lines: { level: keyof Log; fields: LogFields; message: string }[];
}

export function testLog(): TestLog {
  const lines: TestLog['lines'] = [];
  const at = (level: keyof Log) => (fields: LogFields, message: string) => {
    lines.push({ level, fields, message });
  };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
