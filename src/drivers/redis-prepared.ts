// Arguments of scripts. Those that come again and again, one behind the other, are prepared: their
// bytes are made once and copied from then on.

const CRLF = '\r\n';

/** Texts that stand one behind the other in many commands. */
export class Prepared {
  readonly texts: readonly string[];
  /** As RESP2 has them. */
  readonly bytes: Uint8Array;

  constructor(texts: readonly string[]) {
    this.texts = texts;
    let all = '';
    for (const text of texts) all += `$${Buffer.byteLength(text)}${CRLF}${text}${CRLF}`;
    // Of its own: a part of the pool would keep all of that.
    const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(all));
    bytes.write(all);
    this.bytes = bytes;
  }
}

export type Argument = string | Prepared;

/** How many texts these are. */
export function countOf(args: readonly Argument[]): number {
  let count = args.length;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (typeof arg !== 'string') count += arg.texts.length - 1;
  }
  return count;
}

/** One by one, as who prepares nothing wants them. */
export function textsOf(args: readonly Argument[]): string[] {
  return args.flatMap((arg) => (typeof arg === 'string' ? arg : arg.texts));
}

/** What follows a script in EVAL and EVALSHA: how many keys, the keys, the arguments. */
export function plainly(call: { keys: readonly Argument[]; args: readonly Argument[] }): string[] {
  const keys = textsOf(call.keys);
  return [`${keys.length}`, ...keys, ...textsOf(call.args)];
}
