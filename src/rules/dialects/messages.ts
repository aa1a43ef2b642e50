// Messages, as the flow needs a wire format.

import type { Dialect } from '../../core/dialect.js';
import { readMessagesAnswer } from './messages-answer.js';
import { writeMessagesBody } from './messages-body.js';
import { writeMessagesCut, writeMessagesDone, writeMessagesFailure } from './messages-endings.js';
import { createMessagesReader } from './messages-reader.js';

export const messages: Dialect = {
  writeBody: writeMessagesBody,
  createReader: createMessagesReader,
  readAnswer: readMessagesAnswer,
  writeDone: writeMessagesDone,
  writeFailure: writeMessagesFailure,
  writeCut: writeMessagesCut,
};
