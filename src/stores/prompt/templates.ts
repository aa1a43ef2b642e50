// Templates, and what an agent's rows say for their slots: read when a call first needs them, kept
// for a moment, and used on for a while when SQL is away.

import type { Clock } from '../../core/clock.js';
import type { Json } from '../../core/json.js';
import type { Database } from '../../drivers/database.js';
import { createKept } from './kept.js';
import { type RulesFile, type RulesFileOptions, readRulesFile } from './rules-file.js';

export type SlotSource =
  | 'text'
  | 'system_prompt'
  | 'rules_file'
  | 'agent_memory'
  | 'request'
  | 'conversation';

export interface TemplateSlot {
  key: string;
  category: string;
  priority: number;
  source: SlotSource;
  content: string | null;
  mustKeep: boolean;
  minChars: number;
  softMaxChars: number | null;
}

export interface PromptTemplate {
  id: string;
  name: string;
  maxPromptTokens: number | null;
  /** In the order in which the prompt has them. */
  slots: readonly TemplateSlot[];
}

/** What an agent brings along for slots. */
export interface AgentTexts {
  systemPrompt: string;
  rulesFile: RulesFile;
  /** A line each, the most important first, so that trimming takes the least important. */
  memory: string;
}

export interface PromptTemplatesOptions {
  database: Database;
  clock: Clock;
  rulesFiles: RulesFileOptions;
  /** How old what is used may be, and how old while SQL cannot be read. */
  freshMs?: number;
  staleMs?: number;
}

export interface PromptTemplates {
  /** The project's own template of that name, else the one of all projects. */
  template(name: string, projectId: string | undefined): Promise<PromptTemplate | undefined>;
  agentTexts(agentId: string): Promise<AgentTexts>;
}

export function createPromptTemplates(options: PromptTemplatesOptions): PromptTemplates {
  const { database, clock } = options;
  const keeping = {
    clock,
    freshMs: options.freshMs ?? 1_000,
    staleMs: options.staleMs ?? 300_000,
  };
  const templates = createKept<PromptTemplate | undefined>(keeping);
  const agents = createKept<AgentTexts>(keeping);
  return {
    template: (name, projectId) =>
      templates.read(`${projectId ?? ''}/${name}`, () => readTemplate(database, name, projectId)),
    agentTexts: (agentId) =>
      agents.read(agentId, () => readAgentTexts(database, agentId, clock.nowMs(), options)),
  };
}

export async function readTemplate(
  database: Pick<Database, 'query'>,
  name: string,
  projectId: string | undefined,
): Promise<PromptTemplate | undefined> {
  const rows = await database.query<Omit<PromptTemplate, 'slots'>>(
    `select id, name, max_prompt_tokens as "maxPromptTokens" from templates
     where name = $1 and is_active and (project_id = $2::uuid or project_id is null)
     order by project_id nulls last limit 1`,
    [name, projectId ?? null],
  );
  const [template] = rows;
  if (template === undefined) return undefined;
  const slots = await database.query<TemplateSlot>(
    `select key, category, priority, source, content, must_keep as "mustKeep",
       min_chars as "minChars", soft_limit_chars as "softMaxChars"
     from prompt_templates join slots on slots.id = slot_id
     where template_id = $1 order by position`,
    [template.id],
  );
  return { ...template, slots };
}

interface AgentSql {
  systemPrompt: string | null;
  rulesFilePath: string | null;
  localPath: string | null;
}

interface MemorySql {
  category: string;
  key: string;
  value: Json;
}

async function readAgentTexts(
  database: Pick<Database, 'query'>,
  agentId: string,
  nowMs: number,
  options: PromptTemplatesOptions,
): Promise<AgentTexts> {
  const [agent] = await database.query<AgentSql>(
    `select system_prompt as "systemPrompt", rules_file_path as "rulesFilePath",
       local_path as "localPath"
     from agents left join projects on projects.id = project_id where agents.id = $1`,
    [agentId],
  );
  // Only what the agent noted for its own project, or for all of them.
  const memory = await database.query<MemorySql>(
    `select m.category, m.key, m.value from agent_memory m join agents a on a.id = m.agent_id
     where m.agent_id = $1 and (m.project_id is null or m.project_id = a.project_id)
       and (m.expires_at is null or m.expires_at > $2::timestamptz)
     order by coalesce(m.importance, 5) desc, m.category collate "C", m.key collate "C", m.id`,
    [agentId, new Date(nowMs).toISOString()],
  );
  return {
    systemPrompt: agent?.systemPrompt ?? '',
    rulesFile: await readRulesFile(options.rulesFiles, agent?.localPath, agent?.rulesFilePath),
    memory: memory.map(memoryLine).join(''),
  };
}

function memoryLine({ category, key, value }: MemorySql): string {
  const told = typeof value === 'string' ? value : JSON.stringify(value);
  return `- ${category}/${key}: ${told.replaceAll('\n', ' ')}\n`;
}
