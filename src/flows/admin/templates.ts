// Templates: ordered lists of slots with a budget. Slots are named by their keys; a project's own
// slot goes before one of all projects. Deleting a template makes it inactive.

import { isRefused, type Refused, refuse } from '../../core/errors.js';
import type { Queryable } from '../../drivers/database.js';
import { type Actor, type AdminDeps, change } from './change.js';
import {
  type Entity,
  type EntityRow,
  insertRow,
  type ListRequest,
  listRows,
  readRow,
  updateRow,
} from './entity.js';

export const TEMPLATE: Entity = {
  name: 'template',
  table: 'templates',
  columns: `id, project_id, name, description, max_prompt_tokens, is_active,
    (select coalesce(jsonb_agg(slots.key order by position), '[]') from prompt_templates
     join slots on slots.id = slot_id where template_id = templates.id) as slots,
    created_at, updated_at`,
  hasOrigin: false,
};

export interface TemplateInput {
  name?: string | undefined;
  project_id?: string | null | undefined;
  description?: string | null | undefined;
  max_prompt_tokens?: number | null | undefined;
  is_active?: boolean | undefined;
  /** Keys of slots, in the order in which the prompt has them. */
  slots?: string[] | undefined;
}

export const listTemplates = (deps: AdminDeps, request: ListRequest) =>
  listRows(deps, TEMPLATE, request);

export const readTemplateRow = (deps: AdminDeps, id: string) =>
  readRow(deps.database, TEMPLATE, id);

export function createTemplate(
  deps: AdminDeps,
  actor: Actor,
  { slots, ...columns }: TemplateInput & { name: string },
): Promise<EntityRow | Refused> {
  return change(deps, actor, async (tx, audit) => {
    const made = await insertRow(tx, TEMPLATE, columns);
    const refused = await placeSlots(tx, made.id, slots);
    if (refused) return refused;
    const after = await readRow(tx, TEMPLATE, made.id);
    if (isRefused(after)) return after;
    await audit({ action: 'create', entity: 'template', entityId: made.id, after });
    return after;
  });
}

export function changeTemplate(
  deps: AdminDeps,
  actor: Actor,
  id: string,
  { slots, ...columns }: TemplateInput,
): Promise<EntityRow | Refused> {
  return change(deps, actor, async (tx, audit) => {
    const before = await readRow(tx, TEMPLATE, id, 'for update');
    if (isRefused(before)) return before;
    await updateRow(tx, TEMPLATE, id, columns);
    const refused = await placeSlots(tx, id, slots);
    if (refused) return refused;
    const after = await readRow(tx, TEMPLATE, id);
    if (isRefused(after)) return after;
    const action = columns.is_active === false ? 'deactivate' : 'update';
    await audit({ action, entity: 'template', entityId: id, before, after });
    return after;
  });
}

export const removeTemplate = (deps: AdminDeps, actor: Actor, id: string) =>
  changeTemplate(deps, actor, id, { is_active: false });

async function placeSlots(
  tx: Queryable,
  templateId: string,
  keys: readonly string[] | undefined,
): Promise<Refused | undefined> {
  if (keys === undefined) return undefined;
  const twice = keys.find((key, index) => keys.indexOf(key) !== index);
  if (twice !== undefined) {
    return refuse('invalid_value', `The slot ${twice} comes twice.`, { param: 'slots' });
  }
  await tx.query('delete from prompt_templates where template_id = $1', [templateId]);
  const rows = await tx.query<{ key: string }>(
    `insert into prompt_templates (template_id, slot_id, position)
     select $1, found.id, place - 1
     from unnest($2::text[]) with ordinality as wanted(key, place)
     cross join lateral (
       select slots.id from slots join templates on templates.id = $1
       where slots.key = wanted.key
         and (slots.project_id is null or slots.project_id = templates.project_id)
       order by slots.project_id nulls last limit 1) as found
     returning (select key from slots where id = slot_id) as key`,
    [templateId, keys],
  );
  const found = new Set(rows.map(({ key }) => key));
  const missing = keys.find((key) => !found.has(key));
  if (missing === undefined) return undefined;
  return refuse('invalid_value', `There is no slot ${missing}.`, { param: 'slots' });
}
