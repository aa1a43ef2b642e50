// The language of Redis, as far as a proxy must read it: whole commands and whole replies out of a
// stream of bytes, each with the bytes that it came in.

/** A reply, or a command, which is an array of texts. */
export type Value = string | number | null | Value[] | { error: string };

export interface Message {
  value: Value;
  bytes: Buffer;
}

const CR = 13;

export class Reader {
  #rest: Buffer = Buffer.alloc(0);

  /** What is complete by now. */
  feed(chunk: Buffer): Message[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const messages: Message[] = [];
    let from = 0;
    for (;;) {
      const read = valueAt(this.#rest, from);
      if (!read) break;
      messages.push({ value: read.value, bytes: this.#rest.subarray(from, read.end) });
      from = read.end;
    }
    this.#rest = this.#rest.subarray(from);
    return messages;
  }
}

function valueAt(bytes: Buffer, at: number): { value: Value; end: number } | undefined {
  const lineEnd = bytes.indexOf(CR, at);
  if (lineEnd < 0 || lineEnd + 2 > bytes.length) return undefined;
  const line = bytes.toString('utf8', at + 1, lineEnd);
  const end = lineEnd + 2;
  switch (String.fromCharCode(bytes[at]!)) {
    case '+':
      return { value: line, end };
    case '-':
      return { value: { error: line }, end };
    case ':':
      return { value: Number(line), end };
    case '$':
      return textAt(bytes, Number(line), end);
    case '*':
      return listAt(bytes, Number(line), end);
    default:
      throw new Error(`That is no RESP: ${line}`);
  }
}

function textAt(bytes: Buffer, length: number, at: number) {
  if (length < 0) return { value: null, end: at };
  const end = at + length + 2;
  if (end > bytes.length) return undefined;
  return { value: bytes.toString('utf8', at, at + length), end };
}

function listAt(bytes: Buffer, length: number, at: number) {
  if (length < 0) return { value: null, end: at };
  const values: Value[] = [];
  let end = at;
  for (let i = 0; i < length; i += 1) {
    const read = valueAt(bytes, end);
    if (!read) return undefined;
    values.push(read.value);
    end = read.end;
  }
  return { value: values, end };
}
