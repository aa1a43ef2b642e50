// Fills the slots of a template: from its own text, the agent's rows and files, and what the
// request brings for slots that wait for it.

import type { Caller } from '../../core/call.js';
import { closest } from '../../core/closest.js';
import { type Refused, refuse } from '../../core/errors.js';
import type { FilledSlot } from '../../rules/prompt/draft.js';
import type {
  AgentTexts,
  PromptTemplate,
  PromptTemplates,
  TemplateSlot,
} from '../../stores/prompt/templates.js';

export interface Filled {
  slots: FilledSlot[];
  warnings: string[];
}

const FROM_AGENT = new Set(['system_prompt', 'rules_file', 'agent_memory']);

export async function fillSlots(
  templates: PromptTemplates,
  caller: Caller,
  template: PromptTemplate | undefined,
  given: Readonly<Record<string, string>>,
): Promise<Filled | Refused> {
  if (template === undefined) return { slots: [], warnings: [] };
  const strange = refuseStrange(template, given);
  if (strange) return strange;
  const { agentId } = caller.attribution;
  const asksAgent = template.slots.some(({ source }) => FROM_AGENT.has(source));
  const texts =
    asksAgent && agentId !== undefined ? await templates.agentTexts(agentId) : undefined;
  const warnings: string[] = [];
  if (texts?.rulesFile.kind === 'unreadable') {
    const slot = template.slots.find(({ source }) => source === 'rules_file');
    if (slot) warnings.push(`rules_file_unreadable:${slot.key}`);
  }
  let conversations = 0;
  const slots = template.slots.flatMap((slot): FilledSlot[] => {
    // A conversation can stand in one place only.
    if (slot.source === 'conversation') conversations += 1;
    if (slot.source === 'conversation' && conversations > 1) return [];
    return [filled(slot, textFor(slot, texts, given))];
  });
  return { slots, warnings };
}

function refuseStrange(
  template: PromptTemplate,
  given: Readonly<Record<string, string>>,
): Refused | undefined {
  const open = template.slots.flatMap(({ key, source }) => (source === 'request' ? [key] : []));
  const strange = Object.keys(given).find((key) => !open.includes(key));
  if (strange === undefined) return undefined;
  const param = `purser.slots.${strange.slice(0, 100)}`;
  const meant = closest(strange, open);
  const hint = meant === undefined ? `It takes: ${open.join(', ')}.` : `Did you mean ${meant}?`;
  const message = `Template ${template.name} takes no slot of this name from a request. ${hint}`;
  return refuse('invalid_value', message, { param });
}

function textFor(
  { key, source, content }: TemplateSlot,
  texts: AgentTexts | undefined,
  given: Readonly<Record<string, string>>,
): string | undefined {
  switch (source) {
    case 'conversation':
      return undefined;
    case 'request':
      return Object.hasOwn(given, key) ? given[key] : (content ?? '');
    case 'system_prompt':
      return texts?.systemPrompt ?? '';
    case 'agent_memory':
      return texts?.memory ?? '';
    case 'rules_file':
      return texts?.rulesFile.kind === 'text' ? texts.rulesFile.text : '';
    case 'text':
      return content ?? '';
  }
}

function filled(slot: TemplateSlot, text: string | undefined): FilledSlot {
  const { key, category, priority, mustKeep, minChars, softMaxChars } = slot;
  const ranked = { key, category, priority, mustKeep, minChars, text };
  return softMaxChars === null ? ranked : { ...ranked, softMaxChars };
}
