// Words as JSON, remembered: what is written of every call has the same few names again and again.

const WORDS_MAX = 1_000;
const WORD_CHARS_MAX = 128;
const words = new Map<string, string>();

/** A word in quotes, as JSON.stringify writes it. */
export function quoted(word: string): string {
  const known = words.get(word);
  if (known !== undefined) return known;
  const text = JSON.stringify(word);
  if (word.length > WORD_CHARS_MAX) return text;
  if (words.size >= WORDS_MAX) words.clear();
  words.set(word, text);
  return text;
}
