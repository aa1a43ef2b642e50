// `purser prompt preview`: what a call of an agent would send, and what would be trimmed from it.
// Nothing is sent and nothing is charged.

import { readFileSync } from 'node:fs';
import { OperatorError } from '../../core/errors.js';
import { isJsonObject, type Json, type JsonObject, parseJson } from '../../core/json.js';
import { withAdmin } from './admin-door.js';
import { type Args, type Command, define, flagsOf, print, REMOTE, rowsText } from './command.js';
import { findAgent } from './holders.js';
import { countText } from './table.js';

const PREVIEW = '/admin/v1/prompts/preview';
/** Of each message; `--json` has all of it. */
const SHOWN_UNITS = 60;

const preview: Command = (deps) =>
  define({
    meta: { name: 'preview', description: "Show an agent's prompt as it would be sent" },
    args: {
      agent: { type: 'positional', required: true, description: 'Name of the agent' },
      ...REMOTE,
      model: { type: 'string', valueHint: 'name', description: "Else the agent's own" },
      template: { type: 'string', valueHint: 'name', description: 'Template to use' },
      'max-tokens': { type: 'string', valueHint: 'count', description: 'Budget of the prompt' },
      body: {
        type: 'string',
        valueHint: 'file',
        description: 'JSON of a chat completion: its messages, and purser.slots',
      },
    },
    run: ({ args }) =>
      withAdmin(deps, flagsOf(args), async (door) => {
        const body = bodyOf(args);
        const { id } = await findAgent(door, args.agent);
        const shown = await door.send('POST', PREVIEW, { agent_id: id ?? null, body });
        print(deps, args, shown, () => previewText(shown));
      }),
  });

function bodyOf(args: Args): JsonObject {
  const body = typeof args.body === 'string' ? readBody(args.body) : {};
  const purser = isJsonObject(body.purser) ? { ...body.purser } : {};
  if (typeof args.template === 'string') purser.template = args.template;
  const max = args['max-tokens'];
  if (typeof max === 'string') {
    if (!/^[1-9]\d{0,14}$/.test(max)) {
      throw new OperatorError(`--max-tokens ${max} is no count`, 'Give a whole number from 1.');
    }
    purser.max_prompt_tokens = Number(max);
  }
  return { ...body, ...(typeof args.model === 'string' && { model: args.model }), purser };
}

function readBody(file: string): JsonObject {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new OperatorError(`${file} cannot be read`, 'Check --body.', { cause: error });
  }
  const json = parseJson(text);
  if (isJsonObject(json)) return json;
  throw new OperatorError(`${file} is no JSON object`, 'Write it as a chat completion takes it.');
}

function previewText({ messages, report }: JsonObject): string {
  const rows = rowsOf(messages);
  const parts = [
    rowsText(
      rows,
      [
        { title: 'ROLE', cell: (row) => row.role },
        { title: 'CHARS', right: true, cell: (row) => countText(textOf(row).length) },
        { title: 'BEGINS', cell: (row) => textOf(row).replace(/\s+/g, ' ').slice(0, SHOWN_UNITS) },
      ],
      'The prompt is empty.',
    ),
  ];
  if (!isJsonObject(report)) return parts.join('\n');
  const trims = rowsOf(report.trims);
  if (trims.length > 0) {
    const amount = (row: JsonObject, key: string) => countText(Number(row[key]));
    parts.push(
      rowsText(
        trims,
        [
          { title: 'TRIMMED', cell: (row) => row.key },
          { title: 'TOKENS', right: true, cell: (row) => amount(row, 'removed_tokens') },
          { title: 'CHARS', right: true, cell: (row) => amount(row, 'removed_chars') },
        ],
        '',
      ),
    );
  }
  const [before, after] = [Number(report.before), Number(report.after)];
  const warnings = Array.isArray(report.warnings) ? report.warnings.map(String) : [];
  parts.push([`${countText(before)} tokens, ${countText(after)} sent`, ...warnings].join('\n'));
  return parts.join('\n\n');
}

function rowsOf(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

function textOf({ content }: JsonObject): string {
  return typeof content === 'string' ? content : JSON.stringify(content ?? '');
}

export const promptCommand: Command = (deps) =>
  define({
    meta: { name: 'prompt', description: 'Prompts before they are sent' },
    subCommands: { preview: preview(deps) },
  });
