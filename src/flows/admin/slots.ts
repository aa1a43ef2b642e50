// Slots: the parts of which prompts are made. What is critical by its category is kept by default,
// as the migrations have it. A slot that a template has is not deleted under it.

import { isRefused, type Refused, refuse } from '../../core/errors.js';
import { type Actor, type AdminDeps, change } from './change.js';
import {
  changeEntity,
  createEntity,
  type Entity,
  type EntityRow,
  type ListRequest,
  listRows,
  readRow,
} from './entity.js';

export const SLOT_SOURCES = [
  'text',
  'system_prompt',
  'rules_file',
  'agent_memory',
  'request',
  'conversation',
] as const;

export const SLOT: Entity = {
  name: 'slot',
  table: 'slots',
  columns: `id, project_id, key, category, priority, source, content, soft_limit_chars, must_keep,
    min_chars, created_at, updated_at`,
  hasOrigin: false,
};

export interface SlotInput {
  key?: string | undefined;
  project_id?: string | null | undefined;
  category?: string | undefined;
  priority?: number | undefined;
  source?: (typeof SLOT_SOURCES)[number] | undefined;
  content?: string | null | undefined;
  soft_limit_chars?: number | null | undefined;
  must_keep?: boolean | undefined;
  min_chars?: number | undefined;
}

const CRITICAL: Record<string, number> = { system: 400, rules: 200, input: 200 };

export const listSlots = (deps: AdminDeps, request: ListRequest) =>
  listRows(deps, SLOT, request, 'key');

export const readSlot = (deps: AdminDeps, id: string) => readRow(deps.database, SLOT, id);

export function createSlot(
  deps: AdminDeps,
  actor: Actor,
  input: SlotInput & { key: string },
): Promise<EntityRow | Refused> {
  const category = input.category ?? 'context';
  const minChars = Object.hasOwn(CRITICAL, category) ? CRITICAL[category] : undefined;
  const critical = minChars === undefined ? {} : { must_keep: true, min_chars: minChars };
  return createEntity(deps, actor, SLOT, { ...critical, ...given(input) });
}

export const changeSlot = (deps: AdminDeps, actor: Actor, id: string, input: SlotInput) =>
  changeEntity(deps, actor, SLOT, id, { action: 'update', columns: { ...input } });

export function removeSlot(
  deps: AdminDeps,
  actor: Actor,
  id: string,
): Promise<EntityRow | Refused> {
  return change(deps, actor, async (tx, audit) => {
    const before = await readRow(tx, SLOT, id, 'for update');
    if (isRefused(before)) return before;
    const users = await tx.query<{ name: string }>(
      `select name from templates join prompt_templates on template_id = templates.id
       where slot_id = $1 order by name collate "C" limit 5`,
      [id],
    );
    if (users.length > 0) {
      const names = users.map(({ name }) => name).join(', ');
      return refuse('invalid_value', `Take it out of these templates first: ${names}.`);
    }
    await tx.query('delete from slots where id = $1', [id]);
    await audit({ action: 'delete', entity: 'slot', entityId: id, before });
    return before;
  });
}

function given(input: SlotInput): Record<string, unknown> {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
}
