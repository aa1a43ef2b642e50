// Agents: who calls. Deleting one makes it inactive; its keys are then refused at once.

import type { JsonObject } from '../../core/json.js';
import type { Actor, AdminDeps } from './change.js';
import {
  changeEntity,
  createEntity,
  type Entity,
  type ListRequest,
  listRows,
  readRow,
} from './entity.js';
import { refuseCrowd } from './limit-room.js';

export const AGENT: Entity = {
  name: 'agent',
  table: 'agents',
  columns: `id, name, type, project_id, tier, model_config, system_prompt, is_active, origin,
    created_at, updated_at`,
  hasOrigin: true,
};

export const AGENT_TYPES = ['orchestrator', 'architect', 'coder', 'tester', 'reviewer'] as const;

export interface AgentInput {
  name?: string | undefined;
  type?: (typeof AGENT_TYPES)[number] | undefined;
  project_id?: string | null | undefined;
  tier?: number | null | undefined;
  model_config?: JsonObject | undefined;
  system_prompt?: string | null | undefined;
  is_active?: boolean | undefined;
}

export const listAgents = (deps: AdminDeps, request: ListRequest) => listRows(deps, AGENT, request);

export const readAgent = (deps: AdminDeps, id: string) => readRow(deps.database, AGENT, id);

export const createAgent = (deps: AdminDeps, actor: Actor, input: AgentInput) =>
  createEntity(deps, actor, AGENT, { ...input }, (tx) => refuseCrowd(tx, deps.log));

export const changeAgent = (deps: AdminDeps, actor: Actor, id: string, input: AgentInput) =>
  changeEntity(deps, actor, AGENT, id, {
    action: 'update',
    columns: { ...input },
    after: (tx) => refuseCrowd(tx, deps.log),
  });

export const removeAgent = (deps: AdminDeps, actor: Actor, id: string) =>
  changeEntity(deps, actor, AGENT, id, { action: 'deactivate', columns: { is_active: false } });
