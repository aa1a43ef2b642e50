// What a name and a value of an HTTP header may be made of (RFC 9110, 5.1 and 5.5), for everybody
// who writes or reads a head: what is not of this form could end its line.

const NAME = /^[\w!#$%&'*+\-.^`|~]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** To begin with an expression takes longer than to read so many characters. */
const SHORT = 48;

export function isHeaderName(text: string): boolean {
  return NAME.test(text);
}

/** A header as its line. One that could end its line is a bug of ours: throws a TypeError. */
export function headerLine(name: string, value: string): string {
  if (isHeaderName(name) && isHeaderValue(value)) return `${name}: ${value}\r\n`;
  throw new TypeError(`The header ${JSON.stringify(name)} cannot be sent.`);
}

/** The headers of lines as `headerLine` makes them. */
export function headersIn(lines: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines.split('\r\n')) {
    const end = line.indexOf(': ');
    if (end > 0) headers[line.slice(0, end)] = line.slice(end + 2);
  }
  return headers;
}

/** One character a byte. */
export function isHeaderValue(text: string): boolean {
  const { length } = text;
  if (length > SHORT) return VALUE.test(text);
  for (let at = 0; at < length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x20 ? code !== 0x09 : code === 0x7f || code > 0xff) return false;
  }
  return true;
}
