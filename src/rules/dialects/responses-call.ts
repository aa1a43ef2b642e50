// Reads the body of a call for responses once. What decides about money and routing is checked
// here, member by member; everything else is the provider's to judge and travels on as it came.

import type { CallBody, HostedTools } from '../../core/call.js';
import { isRefused, type Refused, refuse } from '../../core/errors.js';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.js';
import { checkModel, endUserOf, isFlag, isWhole, wrong } from './call-checks.js';
import { readJsonBody } from './json-body.js';

const BOUND = 'max_output_tokens';

export function readResponsesCall(raw: Buffer): CallBody | Refused {
  const body = readJsonBody(raw);
  if (isRefused(body)) return body;
  const { json, members } = body;
  const refused = checkModel(json) ?? checkInput(json) ?? checkFlags(json) ?? checkBounds(json);
  if (refused) return refused;
  const call: CallBody = {
    raw,
    members,
    json,
    model: json.model as string,
    stream: json.stream === true,
    wantsUsage: true,
    choices: 1,
  };
  const bound = json[BOUND];
  if (typeof bound === 'number') call.outputBound = { member: BOUND, tokens: bound };
  const endUser = endUserOf(json.user) ?? endUserOf(json.safety_identifier);
  if (endUser !== undefined) call.endUser = endUser;
  const { reasoning } = json;
  if (isJsonObject(reasoning) && reasoning.effort !== 'none') call.hiddenOutput = true;
  const hosted = hostedTools(json);
  if (hosted) call.hostedTools = hosted;
  return call;
}

// With a stored prompt, conversation or response there need be no input.
function checkInput({ input }: JsonObject): Refused | undefined {
  if (input === undefined || input === null || typeof input === 'string') return undefined;
  if (!Array.isArray(input)) return wrong('input', 'text or a list of items');
  const bad = input.findIndex((item) => !isJsonObject(item));
  return bad === -1 ? undefined : wrong(`input[${bad}]`, 'an object');
}

function checkFlags({ stream, background }: JsonObject): Refused | undefined {
  if (!isFlag(stream)) return wrong('stream', 'true or false');
  if (!isFlag(background)) return wrong('background', 'true or false');
  if (background !== true) return undefined;
  const why = '`background: true` is not supported: its cost would be known to nobody.';
  return refuse('unsupported_parameter', why, { param: 'background' });
}

function checkBounds(json: JsonObject): Refused | undefined {
  for (const member of [BOUND, 'max_tool_calls']) {
    const bound = json[member];
    if (bound === undefined || bound === null) continue;
    if (!isWhole(bound, Number.MAX_SAFE_INTEGER)) {
      return wrong(member, 'a whole number of at least 1');
    }
  }
  return undefined;
}

// Tools that the client runs; any other type is taken for one that the provider runs.
const CLIENT_TOOLS = new Set([
  'function',
  'custom',
  'local_shell',
  'apply_patch',
  'computer',
  'computer_use_preview',
  'computer-preview',
]);

function hostedTools({ tools, max_tool_calls: callsMax }: JsonObject): HostedTools | undefined {
  const hosted = hostedTypes(tools);
  if (hosted.length === 0) return undefined;
  const bound = typeof callsMax === 'number' ? callsMax : null;
  const searches = hosted.some((type) => type.startsWith('web_search'));
  return { callsMax: bound, webSearchesMax: searches ? bound : 0 };
}

function hostedTypes(tools: Json | undefined): string[] {
  const found: string[] = [];
  for (const tool of Array.isArray(tools) ? tools : []) {
    if (!isJsonObject(tool)) continue;
    const { type } = tool;
    if (typeof type !== 'string' || CLIENT_TOOLS.has(type)) continue;
    if (type === 'namespace') found.push(...hostedTypes(tool.tools));
    else if (type !== 'shell' || !isLocalShell(tool.environment)) found.push(type);
  }
  return found;
}

// Without an environment of the provider's, the client runs it.
function isLocalShell(environment: Json | undefined): boolean {
  return !isJsonObject(environment) || environment.type === 'local';
}
