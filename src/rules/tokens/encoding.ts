// Which public encoding a model's tokens are counted in. A model that is not known to use one has
// none, and is bounded by bytes: every token of every tokenizer in use is at least one byte.

export type Encoding = 'o200k_base' | 'cl100k_base';
export const ENCODINGS: readonly Encoding[] = ['o200k_base', 'cl100k_base'];

const O200K = /^(?:gpt-4o|gpt-4\.1|gpt-4\.5|gpt-5|chatgpt-4o|o[134](?:-|$)|codex-mini)/;
const CL100K =
  /^(?:gpt-4(?:-|$)|gpt-3\.5|gpt-35|text-embedding-(?:3|ada-002)|davinci-002|babbage-002)/;

/** Undefined: no public tokenizer is known; count UTF-8 bytes. */
export function encodingOf(provider: string, model: string): Encoding | undefined {
  if (provider === 'sandbox') return 'o200k_base';
  // Resellers write `openai/gpt-4o`, fine-tuned models are `ft:gpt-4o:...`.
  const name = model
    .toLowerCase()
    .replace(/^openai\//, '')
    .replace(/^ft:/, '');
  if (O200K.test(name)) return 'o200k_base';
  return CL100K.test(name) ? 'cl100k_base' : undefined;
}

/** No tokenizer makes more tokens of a text than it has UTF-8 bytes. */
export function tokensBound(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}
