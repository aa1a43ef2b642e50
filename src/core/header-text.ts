// What a name and a value of an HTTP header may be made of (RFC 9110, 5.1 and 5.5), for everybody
// who writes or reads a head: what is not of this form could end its line.

const NAME = /^[\w!#$%&'*+\-.^`|~]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

export function isHeaderName(text: string): boolean {
  return NAME.test(text);
}

/** One character a byte. */
export function isHeaderValue(text: string): boolean {
  return VALUE.test(text);
}
