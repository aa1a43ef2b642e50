// Chat completions, as the flow needs a wire format.

import type { Dialect } from '../../core/dialect.js';
import { readChatAnswer } from './chat-answer.js';
import { writeChatBody } from './chat-body.js';
import { writeChatCut, writeChatFailure, writeDone } from './chat-endings.js';
import { createChatReader } from './chat-reader.js';

export const chat: Dialect = {
  writeBody: writeChatBody,
  createReader: createChatReader,
  readAnswer: readChatAnswer,
  writeDone,
  writeFailure: writeChatFailure,
  writeCut: writeChatCut,
};
