// The path of a call with everything it is given, and the doors that lead to it.

import { composeCalibration } from './compose-calibration.js';
import { composeCounts } from './compose-counts.js';
import { composeKept } from './compose-kept.js';
import { listedModels } from './compose-models.js';
import { budgetOf, composePolicy, quoteStates } from './compose-policy.js';
import { readCatalog } from './compose-prices.js';
import { composePrompt } from './compose-prompt.js';
import { composeTargets } from './compose-targets.js';
import type { Config, ProviderConfig } from './config.js';
import type { Call, CallBody, Operation } from './core/call.js';
import type { Clock } from './core/clock.js';
import type { Refused } from './core/errors.js';
import type { JsonObject } from './core/json.js';
import type { Log } from './core/log.js';
import type { Database } from './drivers/database.js';
import { createFailpoints } from './drivers/failpoints.js';
import type { Metrics } from './drivers/metrics.js';
import type { Tokenizer } from './drivers/tokenizer.js';
import { openUpstream } from './drivers/upstream.js';
import { createCallerDoors } from './edges/http/caller-doors.js';
import { createProxy, type ProxyDeps } from './edges/http/proxy.js';
import { createQuoteDoor } from './edges/http/quote-door.js';
import { authenticate } from './flows/call/authenticate.js';
import type { CallDeps, CallOptions } from './flows/call/deps.js';
import type { FitDeps } from './flows/call/fit.js';
import { createHandle } from './flows/call/handle.js';
import { createMarks } from './flows/call/marks.js';
import { previewPrompt } from './flows/call/preview.js';
import { quote } from './flows/call/quote.js';
import { refuseModel } from './flows/call/resolve.js';
import { summaryLine } from './flows/call/summary-line.js';
import { envelopesFor } from './rules/budget/envelopes.js';
import { budgetLines } from './rules/budget/tightest.js';
import { withDefaults } from './rules/dialects/body-defaults.js';
import { chat } from './rules/dialects/chat.js';
import { readChatCall } from './rules/dialects/chat-call.js';
import { completions } from './rules/dialects/completions.js';
import { readCompletionsCall } from './rules/dialects/completions-call.js';
import { embeddings } from './rules/dialects/embeddings.js';
import { readEmbeddingsCall } from './rules/dialects/embeddings-call.js';
import { messages } from './rules/dialects/messages.js';
import { readCountTokensCall, readMessagesCall } from './rules/dialects/messages-call.js';
import { responses } from './rules/dialects/responses.js';
import { readResponsesCall } from './rules/dialects/responses-call.js';
import { openKeyVerifier } from './stores/api-keys.js';
import type { Directory } from './stores/directory.js';
import type { CallableLedger, Ledger } from './stores/ledger/ledger.js';
import { createOutputSizes } from './stores/output-sizes.js';
import { createResponseIds } from './stores/response-ids.js';
import type { Spool } from './stores/spool.js';
import { createTokenCounts } from './stores/token-counts.js';

export interface CallParts {
  config: Config;
  database: Database;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  tokenizer: Tokenizer;
  spool: Spool;
  ledger: CallableLedger;
  directory: Directory;
  pepper: Buffer;
  providers: readonly ProviderConfig[];
  live: CallDeps['live'];
  /** Who beats for the holds of this process. */
  owner: string;
}

const CALLS_MAX = 20_000;

const READERS: Record<Operation, (raw: Buffer) => CallBody | Refused> = {
  chat: readChatCall,
  completions: readCompletionsCall,
  embeddings: readEmbeddingsCall,
  messages: readMessagesCall,
  count_tokens: readCountTokensCall,
  responses: readResponsesCall,
};

export function composeCall(parts: CallParts) {
  const { config, clock, ledger, providers, tokenizer } = parts;
  const counts = createTokenCounts({ tokenizer });
  const upstream = openUpstream({});
  const catalog = readCatalog(config);
  const authenticateCall = composeAuthenticate(parts);
  const { providers: byName, ...targets } = composeTargets(config, providers, catalog, clock);
  const responseIds = createResponseIds(parts.database);
  const { calibration, calibrator } = composeCalibration(parts);
  const prompt = composePrompt({ ...parts, counts, ...config.prompts });
  const identify = composeAuthenticate(parts, false);
  const callDeps = {
    ...targets,
    ...composeCounts(tokenizer, counts),
    ...composeRest(parts),
    prompts: prompt,
    upstream,
    responseIds,
    calibration,
    authenticate: authenticateCall,
  };
  const handle = createHandle(callDeps);
  const running = openCount();
  const { door, options } = callDoor(parts, identify);
  const ended = () => running.add(-1);
  // Told beside the call: a function that waits for it would be one more promise for each.
  const handled = (call: Call) => {
    running.add(1);
    const ending = handle(call);
    ending.then(ended, ended);
    return ending;
  };
  const proxy = createProxy({ ...door, handle: handled }, options);
  const authenticate = identify;
  const kept = { ...parts, upstream, catalog, providers: byName, responseIds, authenticate };
  const models = listedModels(config, providers, catalog);
  return {
    proxy,
    quote: createQuoteDoor(
      { ...door, states: quoteStates, quote: (call) => quote(callDeps, call) },
      options,
    ),
    caller: composeCaller(models, ledger, identify),
    catalog,
    ...composeKept(kept),
    calibrator,
    previewPrompt: composePreview(parts, prompt.fit, targets.plan),
    /** Resolves when no call is under way, its row written down. */
    idle: () => running.zero(),
    async close(): Promise<void> {
      await prompt.snapshots.close();
      await upstream.close();
    },
  };
}

/** How many there are, and who waits until there are none. */
function openCount() {
  let count = 0;
  let waiting: (() => void)[] = [];
  return {
    add(more: number): void {
      count += more;
      if (count > 0) return;
      for (const tell of waiting) tell();
      waiting = [];
    },
    zero(): Promise<void> {
      if (count === 0) return Promise.resolve();
      return new Promise((resolve) => waiting.push(resolve));
    },
  };
}

function callDoor({ config, clock, log }: CallParts, identify: ProxyDeps['authenticate']) {
  const door: Omit<ProxyDeps, 'handle'> = {
    clock,
    log,
    authenticate: identify,
    readCall: (operation, raw, { modelConfig }) =>
      READERS[operation](withDefaults(raw, modelConfig, operation !== 'embeddings')),
  };
  const options = {
    callsMax: CALLS_MAX,
    bodyBytesMax: config.bodyBytesMax,
    bodyIdleMs: config.timeouts.bodyMs,
  };
  return { door, options };
}

function composeCaller(
  models: ReturnType<typeof listedModels>,
  ledger: Ledger,
  authenticateCall: CallDeps['authenticate'],
) {
  return createCallerDoors({
    authenticate: authenticateCall,
    listModels: (identity) => models.filter((model) => !refuseModel(identity, model.id)),
    budgetOf: (identity) => budgetOf(ledger, identity.envelopes),
  });
}

function composePreview({ directory }: CallParts, fit: FitDeps, plan: CallDeps['plan']) {
  const deps = { fit, plan, snapshot: () => directory.snapshot() };
  return (agentId: string, body: JsonObject) => previewPrompt(deps, agentId, body);
}

type Rest = Omit<
  CallDeps,
  | 'plan'
  | 'health'
  | 'calibration'
  | 'responseIds'
  | 'countInput'
  | 'countText'
  | 'upstream'
  | 'authenticate'
  | 'prompts'
>;

function composeRest(parts: CallParts): Rest {
  const { config, clock, log, metrics, ledger, spool, live, owner } = parts;
  return {
    ...{ clock, log, ledger, spool, live, budgetLines },
    dialects: { chat, completions, embeddings, messages, responses, count_tokens: messages },
    ...composePolicy(parts),
    marks: createMarks({ ledger, log, owner, leaseMs: config.ledger.leaseMs }),
    usageNotAsked: new Set(),
    outputSizes: createOutputSizes(),
    failpoint: createFailpoints(config.crashAt ?? undefined),
    told: teller(config, log, metrics),
    options: callOptions(config, owner),
  };
}

function composeAuthenticate({ directory, ledger, pepper }: CallParts, complete = true) {
  const deps = { keys: openKeyVerifier(pepper), envelopesFor };
  return (part: Pick<Call, 'credential' | 'claims' | 'known'>) =>
    authenticate(deps, part, directory.snapshot(), ledger.nowMs(), complete);
}

function callOptions(config: Config, owner: string): CallOptions {
  const { timeouts, ledger } = config;
  return {
    owner,
    leaseMs: ledger.leaseMs,
    outputTokensMaxDefault: config.defaultMaxOutputTokens,
    connectTimeoutMs: timeouts.connectMs,
    firstByteTimeoutMs: timeouts.firstByteMs,
    answerTimeoutMs: timeouts.answerMs,
    idleTimeoutMs: timeouts.idleMs,
    writeStallMs: timeouts.stallMs,
    readOnMs: timeouts.leftMs,
    dry: config.mode === 'dry',
    shrinks: config.onTight === 'shrink',
    litellmHeaders: config.compat.litellmHeaders,
    answerBytesMax: config.answerBytesMax,
  };
}

// What a log of a higher level would not take is not even put together.
function teller({ logLevel }: Config, log: Log, metrics: Metrics): CallDeps['told'] {
  const isTold = logLevel === 'trace' || logLevel === 'debug' || logLevel === 'info';
  if (!isTold) return (summary) => metrics.call(summary);
  return (summary) => {
    metrics.call(summary);
    log.info(summaryLine(summary), 'call');
  };
}
