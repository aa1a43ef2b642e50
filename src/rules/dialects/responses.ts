// Responses, as the flow needs a wire format.

import type { Dialect } from '../../core/dialect.js';
import { readResponsesAnswer } from './responses-answer.js';
import { writeResponsesBody } from './responses-body.js';
import {
  writeResponsesCut,
  writeResponsesDone,
  writeResponsesFailure,
} from './responses-endings.js';
import { createResponsesReader } from './responses-reader.js';

export const responses: Dialect = {
  writeBody: writeResponsesBody,
  createReader: createResponsesReader,
  readAnswer: readResponsesAnswer,
  writeDone: writeResponsesDone,
  writeFailure: writeResponsesFailure,
  writeCut: writeResponsesCut,
};
