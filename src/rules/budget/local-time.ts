// Local time of IANA zones, from Intl alone. Instants are milliseconds since 1970; local times are
// written as the instant that the same figures would be in UTC.

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
/** No zone turns its clocks back by as much as this. */
const SHIFT_MAX_MS = 3 * HOUR_MS;
/** Further from a local time than any offset from UTC. */
const FAR_MS = 26 * HOUR_MS;

// Making a formatter costs 50 µs, using one 1 µs.
const formatters = new Map<string, Intl.DateTimeFormat>();

function formatterOf(timeZone: string): Intl.DateTimeFormat {
  let formatter = formatters.get(timeZone);
  if (!formatter) {
    formatter = new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    });
    formatters.set(timeZone, formatter);
  }
  return formatter;
}

/** Whether the runtime knows the zone. */
export function isTimeZone(timeZone: string): boolean {
  try {
    formatterOf(timeZone);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** Local time less UTC. */
export function offsetMs(timeZone: string, atMs: number): number {
  if (timeZone === 'UTC') return 0;
  const parts = { year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0 };
  for (const { type, value } of formatterOf(timeZone).formatToParts(atMs)) {
    if (type in parts) parts[type as keyof typeof parts] = Number(value);
  }
  const { year, month, day, hour, minute, second } = parts;
  const localMs = Date.UTC(year, month - 1, day, hour, minute, second);
  return localMs - Math.floor(atMs / 1000) * 1000;
}

export function localMs(timeZone: string, atMs: number): number {
  return atMs + offsetMs(timeZone, atMs);
}

/** The first instant at which the local clock shows this time or, if it is skipped, a later one. */
export function firstInstantAt(timeZone: string, wantedLocalMs: number): number {
  if (timeZone === 'UTC') return wantedLocalMs;
  const before = offsetMs(timeZone, wantedLocalMs - FAR_MS);
  const after = offsetMs(timeZone, wantedLocalMs + FAR_MS);
  // The greater offset makes the earlier instant.
  for (const offset of [Math.max(before, after), Math.min(before, after)]) {
    const atMs = wantedLocalMs - offset;
    if (offsetMs(timeZone, atMs) === offset) return atMs;
  }
  return transitionMs(timeZone, wantedLocalMs - FAR_MS, wantedLocalMs + FAR_MS);
}

/** The instant between the two at which the offset changes; there must be exactly one. */
export function transitionMs(timeZone: string, fromMs: number, untilMs: number): number {
  const before = offsetMs(timeZone, fromMs);
  let [low, high] = [Math.floor(fromMs / 1000), Math.ceil(untilMs / 1000)];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetMs(timeZone, middle * 1000) === before) low = middle;
    else high = middle;
  }
  return high * 1000;
}

/** Whether the local clock has shown this very time before: the second pass when it went back. */
export function isSecondPass(timeZone: string, atMs: number): boolean {
  if (timeZone === 'UTC') return false;
  const now = offsetMs(timeZone, atMs);
  const before = offsetMs(timeZone, atMs - SHIFT_MAX_MS);
  return before > now && offsetMs(timeZone, atMs + now - before) === before;
}
