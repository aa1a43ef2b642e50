// The doors of slots and templates, and the preview of a prompt: what a call would send, and what
// would be trimmed. A preview sends nothing and costs nothing.

import { z } from 'zod';
import type { Refused } from '../../../core/errors.js';
import type { JsonObject } from '../../../core/json.js';
import type { AdminDeps } from '../../../flows/admin/change.js';
import * as slots from '../../../flows/admin/slots.js';
import * as templates from '../../../flows/admin/templates.js';
import { previewAnswer, slotRow, templateRow } from './answers.js';
import type { AdminRoute } from './doors.js';
import { entityRoutes } from './entity-routes.js';
import { writing } from './route.js';

/** `body` is one of a chat completion. */
export type PreviewPrompt = (agentId: string, body: JsonObject) => Promise<object | Refused>;

const text = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => !value.includes('\0'), 'has a NUL character');
const name = text(100).min(1);
const whole = z.int().min(1);

const slotSchema = z.strictObject({
  key: name.optional(),
  project_id: z.guid().nullish(),
  category: text(50).min(1).optional(),
  priority: z.int32().optional(),
  source: z.enum(slots.SLOT_SOURCES).optional(),
  content: text(200_000).nullish(),
  soft_limit_chars: whole.max(2_147_483_647).nullish(),
  must_keep: z.boolean().optional(),
  min_chars: z.int32().min(0).optional(),
});

const templateSchema = z.strictObject({
  name: name.optional(),
  project_id: z.guid().nullish(),
  description: text(10_000).nullish(),
  max_prompt_tokens: whole.nullish(),
  is_active: z.boolean().optional(),
  slots: z.array(name).max(100).optional(),
});

const previewSchema = z.strictObject({
  agent_id: z.guid(),
  body: z.record(z.string(), z.json()),
});

export function promptRoutes(deps: AdminDeps, preview?: PreviewPrompt): AdminRoute[] {
  const routes = [
    ...entityRoutes('slots', {
      row: slotRow,
      list: (request) => slots.listSlots(deps, request),
      read: (id) => slots.readSlot(deps, id),
      create: [slotSchema.required({ key: true }), (...args) => slots.createSlot(deps, ...args)],
      change: [slotSchema, (...args) => slots.changeSlot(deps, ...args)],
      remove: (...args) => slots.removeSlot(deps, ...args),
    }),
    ...entityRoutes('templates', {
      row: templateRow,
      list: (request) => templates.listTemplates(deps, request),
      read: (id) => templates.readTemplateRow(deps, id),
      create: [
        templateSchema.required({ name: true }),
        (...args) => templates.createTemplate(deps, ...args),
      ],
      change: [templateSchema, (...args) => templates.changeTemplate(deps, ...args)],
      remove: (...args) => templates.removeTemplate(deps, ...args),
    }),
  ];
  return preview === undefined ? routes : [...routes, previewRoute(preview)];
}

function previewRoute(preview: PreviewPrompt): AdminRoute {
  const route = writing(
    ['POST', 'prompts/preview'],
    previewSchema,
    previewAnswer,
    (_ask, { agent_id, body }) => preview(agent_id, body),
  );
  // It reads what operators may read, and writes nothing.
  return { ...route, kind: 'read' };
}
