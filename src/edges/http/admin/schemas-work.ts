// What the admin API takes and answers of what agents know and work on, and of what users were
// told.

import { z } from 'zod';
import * as work from '../../../flows/admin/work.js';
import { at, id, object, row } from './answers.js';
import { listMembers, moment, text, uuid } from './schemas.js';

const VALUE_CHARS_MAX = 20_000;
const value = z
  .json()
  .refine((json) => json !== null, 'must not be null')
  .refine((json) => {
    const said = JSON.stringify(json);
    return said.length <= VALUE_CHARS_MAX && !said.includes('\\u0000');
  }, `must be at most ${VALUE_CHARS_MAX} characters of JSON, without NUL`);

export const memorySchema = z.strictObject({
  category: text(50).optional(),
  key: text(200).optional(),
  value: value.optional(),
  importance: z.int().min(1).max(10).optional(),
  expires_at: moment.nullish(),
});
export const newMemorySchema = memorySchema
  .required({ category: true, key: true, value: true })
  .extend({ agent_id: uuid, project_id: uuid.nullish() });
export const memoryListSchema = z.strictObject({ ...listMembers, agent_id: uuid.optional() });
export const memoryRow = row({
  agent_id: id,
  project_id: id.nullable(),
  category: z.string(),
  key: z.string(),
  value: z.json(),
  importance: z.int().min(1).max(10),
  expires_at: at.nullable(),
});

export const conversationSchema = z.strictObject({
  title: text(200).nullish(),
  type: z.enum(work.CONVERSATION_TYPES).optional(),
  status: z.enum(work.CONVERSATION_STATES).optional(),
  external_id: text(200).nullish(),
});
export const newConversationSchema = conversationSchema
  .required({ type: true })
  .extend({
    project_id: uuid.nullish(),
    created_by_user_id: uuid.nullish(),
    created_by_agent_id: uuid.nullish(),
  })
  .refine(
    ({ created_by_user_id: user, created_by_agent_id: agent }) => Boolean(user ?? agent),
    'needs a user or an agent who has begun it',
  );
export const conversationRow = row({
  title: z.string().nullable(),
  type: z.enum(work.CONVERSATION_TYPES),
  status: z.enum(work.CONVERSATION_STATES),
  project_id: id.nullable(),
  created_by_user_id: id.nullable(),
  created_by_agent_id: id.nullable(),
  external_id: z.string().nullable(),
});

export const taskSchema = z.strictObject({
  title: text(300).optional(),
  description: text(20_000).nullish(),
  status: z.enum(work.TASK_STATES).optional(),
  priority: z.enum(work.TASK_PRIORITIES).optional(),
  assigned_to_agent_id: uuid.nullish(),
  definition_of_done: text(20_000).nullish(),
  external_id: text(200).nullish(),
});
export const newTaskSchema = taskSchema.required({ title: true }).extend({ project_id: uuid });
export const taskRow = row({
  title: z.string(),
  description: z.string().nullable(),
  status: z.enum(work.TASK_STATES),
  priority: z.enum(work.TASK_PRIORITIES),
  project_id: id,
  assigned_to_agent_id: id.nullable(),
  definition_of_done: z.string().nullable(),
  external_id: z.string().nullable(),
  started_at: at.nullable(),
  completed_at: at.nullable(),
});

export const notificationSchema = z.strictObject({ is_read: z.boolean() });
export const notificationListSchema = z.strictObject({
  ...listMembers,
  user_id: uuid.optional(),
  is_read: z.stringbool().optional(),
});
export const notificationRow = z.strictObject({
  id,
  type: z.string(),
  title: z.string(),
  message: z.string(),
  severity: z.enum(['info', 'warning', 'critical']),
  user_id: id,
  project_id: id.nullable(),
  agent_id: id.nullable(),
  is_read: z.boolean(),
  metadata: object,
  created_at: at,
});
