// The words of a text that a script made, read in one pass: whole numbers are added up where they
// lie, and no word becomes a text of its own that is not needed as one.

const [MINUS, ZERO, NINE] = [0x2d, 0x30, 0x39];

export class Words {
  readonly text: string;
  /** Where the next word begins. */
  at: number;

  constructor(text: string, at = 0) {
    this.text = text;
    this.at = at;
  }

  get isAtEnd(): boolean {
    return this.at >= this.text.length;
  }

  /** The next character, as a number; NaN at the end. */
  peek(): number {
    return this.text.charCodeAt(this.at);
  }

  /** A whole number and the one character behind it; NaN where there is none. */
  number(): number {
    const { text } = this;
    let at = this.at;
    const isNegative = text.charCodeAt(at) === MINUS;
    if (isNegative) at += 1;
    const first = at;
    let number = 0;
    for (; at < text.length; at += 1) {
      const digit = text.charCodeAt(at);
      if (digit < ZERO || digit > NINE) break;
      // With the digit's code added first the sum would pass 2^53 and be rounded.
      number = number * 10 + (digit - ZERO);
    }
    this.at = at + 1;
    if (at === first) return Number.NaN;
    return isNegative ? -number : number;
  }

  /** Up to the next space, which is passed. */
  word(): string {
    const end = this.text.indexOf(' ', this.at);
    const from = this.at;
    this.at = end < 0 ? this.text.length : end + 1;
    return this.text.slice(from, end < 0 ? undefined : end);
  }
}
