// Random slots whose texts are put together from pieces, so that a test knows where code fences,
// JSON values and tool calls lie without asking the code that looks for them.

import type { PromptSlot } from '#src/rules/prompt/slot.js';
import type { Seeded } from '../seeded.js';

export interface Piece {
  text: string;
  /** Must not be cut in its middle. */
  solid: boolean;
}

export interface RandomSlot {
  slot: PromptSlot;
  pieces: readonly Piece[];
}

const WORDS = [
  'budget',
  'the',
  'of',
  'a',
  'prompt',
  'Zürich',
  '預算',
  '提示詞很長',
  'наличные',
  '😀👍🏽',
  'x',
  'I',
  'ı',
  'İ',
  "don't",
  '"quoted',
  '{',
  '[1]',
  '}',
  'é\u0301',
  '٣',
  '...',
  'antidisestablishment',
  `x${'😀'.repeat(30)}`,
];
const CATEGORIES = ['system', 'rules', 'memory', 'history', 'input', 'context', 'Özel', 'notes'];

export function randomSlots(random: Seeded): RandomSlot[] {
  const count = 1 + random.below(7);
  return Array.from({ length: count }, (_, index) => {
    const isRounds = random.below(6) === 0;
    const pieces = isRounds ? [] : randomPieces(random);
    const rounds = Array.from({ length: random.below(9) }, () => ({
      tokens: random.below(60),
      chars: random.below(240),
    }));
    const text = pieces.map((piece) => piece.text).join('');
    const solid = !isRounds && random.below(12) === 0;
    const slot: PromptSlot = {
      key: `${random.pick(['k', 'K', 'ä', 'z', 'İ'])}${index}`,
      category: random.pick(CATEGORIES),
      priority: random.below(4) * 10,
      mustKeep: random.below(2) === 0,
      minChars: random.pick([0, 0, 1, 20, 80, 200, 400]),
      fixedTokens: random.below(9),
      content: isRounds
        ? { kind: 'rounds', rounds }
        : solid
          ? { kind: 'solid', tokens: random.below(80), chars: text.length }
          : { kind: 'text', text },
      ...(random.below(5) === 0 ? { softMaxChars: 1 + random.below(300) } : {}),
    };
    return { slot, pieces };
  });
}

function randomPieces(random: Seeded): Piece[] {
  const pieces: Piece[] = [];
  for (let count = random.below(9); count > 0; count -= 1) pieces.push(randomPiece(random));
  return pieces;
}

function randomPiece(random: Seeded): Piece {
  switch (random.below(9)) {
    case 0:
      return { text: fence(random), solid: true };
    case 1:
      return {
        text: `${JSON.stringify(randomJson(random, 0), null, random.below(3))}`,
        solid: true,
      };
    case 2: {
      const name = random.pick(['tool_call', 'function_calls', 'invoke']);
      return { text: `<${name} name="f">\n${sentence(random)}\n</${name}>`, solid: true };
    }
    case 3:
      return { text: '\n'.repeat(1 + random.below(3)), solid: false };
    case 4:
      return { text: `${sentence(random)}\r\n`, solid: false };
    default:
      return { text: `${sentence(random)}${random.below(4) === 0 ? '' : '\n'}`, solid: false };
  }
}

// Begins on a line of its own; what comes before it may lack its line break.
function fence(random: Seeded): string {
  const mark = random.pick(['```', '~~~~', '`````']);
  const lines = Array.from({ length: random.below(5) }, () => sentence(random));
  return `\n${mark}ts\n${lines.map((line) => `${line}\n`).join('')}${mark}\n`;
}

function sentence(random: Seeded): string {
  return Array.from({ length: 1 + random.below(12) }, () => random.pick(WORDS)).join(' ');
}

function randomJson(random: Seeded, depth: number): unknown {
  const scalars = [1, -0.5, 1e21, true, null, 'a "quoted" \\ word', '{[', sentence(random)];
  const count = random.below(4);
  const item = () =>
    depth < 3 && random.below(3) === 0 ? randomJson(random, depth + 1) : random.pick(scalars);
  if (random.below(2) === 0) return Array.from({ length: count }, item);
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, item()]));
}
