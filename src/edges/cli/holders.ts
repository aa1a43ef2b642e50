// Finds agents and projects by the names that people use: `coder-1`, or `demo/coder-1` where more
// than one project has an agent of that name.

import { closest } from '../../core/closest.js';
import { OperatorError } from '../../core/errors.js';
import type { JsonObject } from '../../core/json.js';
import type { AdminDoor } from './admin-door.js';

export async function findProject(door: AdminDoor, name: string): Promise<JsonObject> {
  const projects = await door.list('/admin/v1/projects');
  return one(projects, 'project', name, (row) => row.name === name);
}

export async function findAgent(door: AdminDoor, name: string): Promise<JsonObject> {
  const [short, project] = name.split('/').reverse();
  const agents = await door.list('/admin/v1/agents');
  const owner = project === undefined ? undefined : (await findProject(door, project)).id;
  return one(
    agents,
    'agent',
    name,
    (row) => row.name === short && (owner === undefined || row.project_id === owner),
  );
}

/** Names of agents by id, for lists. */
export async function agentNames(door: AdminDoor): Promise<Map<unknown, string>> {
  const agents = await door.list('/admin/v1/agents');
  return new Map(agents.map((row) => [row.id, String(row.name)]));
}

function one(
  rows: readonly JsonObject[],
  what: string,
  name: string,
  fits: (row: JsonObject) => boolean,
): JsonObject {
  const found = rows.filter(fits);
  if (found.length === 1) return found[0]!;
  if (found.length > 1) {
    throw new OperatorError(`there are ${found.length} of ${name}`, 'Write project/agent.');
  }
  const names = rows.map((row) => String(row.name));
  const guess = closest(name, names);
  const known = names.length === 0 ? 'There is none yet.' : `There are: ${names.join(', ')}.`;
  throw new OperatorError(`there is no ${what} ${name}`, guess ? `Did you mean ${guess}?` : known);
}
