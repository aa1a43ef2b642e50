// A reading's text holds what JSON.stringify would write, in whatever order.

import { expect, test } from 'vitest';
import { readingText } from '#src/core/reading-text.js';
import { usageEvent } from '../../support/events.js';

test('the text of a reading is JSON that says the same', () => {
  const { reading } = usageEvent();
  for (const odd of [{}, { anomalies: ['a"b\n'] }, { firstByteMs: null, modelMs: null }]) {
    const own = { ...reading!, ...odd };
    expect(JSON.parse(readingText(own))).toEqual(own);
  }
});
