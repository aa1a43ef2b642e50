// Reads the body of a call for messages once. What decides about money and routing is checked here,
// member by member; everything else is the provider's to judge and travels on as it came.

import type { CallBody, HostedTools } from '../../core/call.js';
import { isRefused, type Refused, refuse } from '../../core/errors.js';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.js';
import { checkModel, endUserOf, isFlag, isWhole, wrong } from './call-checks.js';
import { readJsonBody } from './json-body.js';

/** Of `POST /v1/messages`. */
export function readMessagesCall(raw: Buffer): CallBody | Refused {
  const call = readPrompt(raw);
  if (isRefused(call)) return call;
  const { json } = call;
  const tokens = json.max_tokens ?? null;
  if (!isWhole(tokens, Number.MAX_SAFE_INTEGER)) {
    return wrong('max_tokens', 'a whole number of at least 1');
  }
  if (!isFlag(json.stream)) return wrong('stream', 'true or false');
  const unpriced = checkUnpriced(json);
  if (unpriced) return unpriced;
  call.outputBound = { member: 'max_tokens', tokens };
  call.stream = json.stream === true;
  // What is shown of thinking is a summary at best; all of it is billed.
  const { thinking } = json;
  if (isJsonObject(thinking) && thinking.type !== 'disabled') call.hiddenOutput = true;
  if (mayWriteCache(raw)) call.cacheWrites = true;
  const hosted = hostedTools(json);
  if (hosted) call.hostedTools = hosted;
  return call;
}

/** Of `POST /v1/messages/count_tokens`: the prompt alone; nothing is generated or billed. */
export function readCountTokensCall(raw: Buffer): CallBody | Refused {
  return readPrompt(raw);
}

function readPrompt(raw: Buffer): CallBody | Refused {
  const body = readJsonBody(raw);
  if (isRefused(body)) return body;
  const { json, members } = body;
  const refused = checkModel(json) ?? checkMessages(json.messages) ?? checkSystem(json.system);
  if (refused) return refused;
  const model = json.model as string;
  const call: CallBody = {
    raw,
    members,
    json,
    model,
    stream: false,
    wantsUsage: true,
    choices: 1,
  };
  const { metadata } = json;
  const endUser = isJsonObject(metadata) ? endUserOf(metadata.user_id) : undefined;
  if (endUser !== undefined) call.endUser = endUser;
  return call;
}

function checkMessages(messages: Json | undefined): Refused | undefined {
  if (!Array.isArray(messages) || messages.length === 0) {
    return wrong('messages', 'a list of at least one message');
  }
  for (let i = 0; i < messages.length; i++) {
    const message = messages[i];
    if (!isJsonObject(message) || typeof message.role !== 'string') {
      return wrong(`messages[${i}]`, 'an object with role and content');
    }
    const refused = checkBlocks(message.content, `messages[${i}].content`);
    if (refused) return refused;
  }
  return undefined;
}

function checkSystem(system: Json | undefined): Refused | undefined {
  return system === undefined || system === null ? undefined : checkBlocks(system, 'system');
}

function checkBlocks(content: Json | undefined, param: string): Refused | undefined {
  if (typeof content === 'string') return undefined;
  if (!Array.isArray(content)) return wrong(param, 'text or a list of blocks');
  const bad = content.findIndex((block) => !isJsonObject(block) || typeof block.type !== 'string');
  return bad === -1 ? undefined : wrong(`${param}[${bad}]`, 'an object with a type');
}

// The catalog has no rate for it, and a bound below the bill would be none.
function checkUnpriced({ speed }: JsonObject): Refused | undefined {
  if (speed !== 'fast') return undefined;
  return refuse('unsupported_parameter', '`speed: "fast"` has no price here; leave it out.', {
    param: 'speed',
  });
}

// A false alarm holds a little too much, so that the bytes are enough to look at. An ASCII letter
// that is written as an escape could spell the member, too.
function mayWriteCache(raw: Buffer): boolean {
  return (
    raw.includes('cache_control') ||
    raw.includes('\\u005') ||
    raw.includes('\\u006') ||
    raw.includes('\\u007')
  );
}

// Typed tools that the client runs; any other type is taken for one that the provider runs.
const CLIENT_TOOLS = /^(?:custom|bash|text_editor|computer|browser|memory)(?:_|$)/;
const UNBOUNDED: HostedTools = { callsMax: null, webSearchesMax: null };

function hostedTools({ tools, mcp_servers: servers }: JsonObject): HostedTools | undefined {
  if (Array.isArray(servers) && servers.length > 0) return UNBOUNDED;
  let found: HostedTools | undefined;
  for (const tool of Array.isArray(tools) ? tools : []) {
    if (!isJsonObject(tool)) continue;
    const { type, max_uses: usesMax = null } = tool;
    if (typeof type !== 'string' || CLIENT_TOOLS.test(type)) continue;
    const uses = isWhole(usesMax, Number.MAX_SAFE_INTEGER) ? usesMax : null;
    found ??= { callsMax: 0, webSearchesMax: 0 };
    found.callsMax = sum(found.callsMax, uses);
    const searches = type.startsWith('web_search') ? uses : 0;
    found.webSearchesMax = sum(found.webSearchesMax, searches);
  }
  return found;
}

function sum(left: number | null, right: number | null): number | null {
  return left === null || right === null ? null : Math.min(left + right, 1_000_000);
}
