// What the configuration file names is made so at every start: projects, agents and limits are
// upserted by name with the origin `file`, and what is gone from the file becomes inactive. Rows
// that are as the file wants them are not touched, so that a restart changes no version.

import { isRefused, OperatorError } from '../../core/errors.js';
import type { JsonObject } from '../../core/json.js';
import type { Queryable } from '../../drivers/database.js';
import { AGENT } from './agents.js';
import { applyLimits, type ConfiguredLimit } from './apply-limits.js';
import { type Actor, type AdminDeps, change } from './change.js';
import type { Entity } from './entity.js';
import { refuseCrowd } from './limit-room.js';
import { PROJECT } from './projects.js';
import { type Applied, deactivateRest, put, type Told } from './put.js';

export interface ConfiguredProject {
  name: string;
  description: string | null;
  githubRepo: string | null;
}

export interface ConfiguredAgent {
  name: string;
  type: string;
  /** Name of a project; null for none. */
  project: string | null;
  tier: number | null;
  modelConfig: JsonObject;
}

export interface ConfiguredRows {
  projects: readonly ConfiguredProject[];
  agents: readonly ConfiguredAgent[];
  limits: readonly ConfiguredLimit[];
}

export const FILE_ACTOR: Actor = { kind: 'file', id: null, via: 'file', role: 'owner' };

/** Answers what was changed. Throws an OperatorError for what cannot be as the file wants it. */
export async function applyConfig(
  deps: AdminDeps,
  rows: ConfiguredRows,
  ownerId: string,
): Promise<Applied> {
  const applied: Applied = { created: [], updated: [], deactivated: [] };
  const done = await change(deps, FILE_ACTOR, async (tx, audit) => {
    await tx.query(`select pg_advisory_xact_lock(hashtext('purser.apply-config'))`);
    const told: Told = { applied, audit };
    const projects = await applyProjects(tx, told, rows.projects, ownerId);
    await applyAgents(tx, told, rows.agents, projects);
    await applyLimits(tx, told, rows.limits);
    return refuseCrowd(tx, deps.log);
  });
  if (!isRefused(done)) return applied;
  const { message } = done.refused;
  throw new OperatorError(
    `The projects, agents and limits of the file cannot be applied: ${message}`,
    'Change the configuration file and start again.',
  );
}

async function applyProjects(
  tx: Queryable,
  told: Told,
  wanted: readonly ConfiguredProject[],
  ownerId: string,
): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  for (const project of wanted) {
    const found = await find(tx, PROJECT, 'name = $1', [project.name]);
    const columns = { description: project.description, github_repo: project.githubRepo };
    const fixed = { name: project.name, owner_id: ownerId };
    ids.set(project.name, await put(tx, told, PROJECT, project.name, { found, columns, fixed }));
  }
  await deactivateRest(tx, told, PROJECT, [...ids.values()]);
  return ids;
}

async function applyAgents(
  tx: Queryable,
  told: Told,
  wanted: readonly ConfiguredAgent[],
  projects: ReadonlyMap<string, string>,
): Promise<void> {
  const ids: string[] = [];
  for (const agent of wanted) {
    const projectId = await projectIdOf(tx, agent, projects);
    const same = 'name = $1 and project_id is not distinct from $2::uuid';
    const found = await find(tx, AGENT, same, [agent.name, projectId]);
    const { type, tier, modelConfig } = agent;
    const columns = { type, tier, model_config: modelConfig };
    const fixed = { name: agent.name, project_id: projectId };
    const label = [agent.project, agent.name].filter((part) => part !== null).join('/');
    ids.push(await put(tx, told, AGENT, label, { found, columns, fixed }));
  }
  await deactivateRest(tx, told, AGENT, ids);
}

// A project that the file does not name may have been made by the API.
async function projectIdOf(
  tx: Queryable,
  agent: ConfiguredAgent,
  projects: ReadonlyMap<string, string>,
): Promise<string | null> {
  if (agent.project === null) return null;
  const known = projects.get(agent.project);
  if (known !== undefined) return known;
  const found = await find(tx, PROJECT, 'name = $1 and is_active', [agent.project]);
  if (found) return found.id;
  throw new OperatorError(
    `The agent ${agent.name} is in the project ${agent.project}, which does not exist.`,
    `Add \`- name: ${agent.project}\` to \`projects\`.`,
  );
}

async function find(tx: Queryable, entity: Entity, where: string, params: readonly unknown[]) {
  const rows = await tx.query<Record<string, unknown> & { id: string }>(
    `select ${entity.columns} from ${entity.table} where ${where}
     order by is_active desc, (origin = 'file') desc, created_at limit 1`,
    params,
  );
  return rows[0];
}
