// Whose call it is: the key is checked against the directory in memory, and everything that the
// key decides (agent, project, models, envelopes) is worked out once a key and snapshot. What the
// client claims is only added beside it: it can add envelopes, and replaces nothing of the key's.

import type { Call, Caller } from '../../core/call.js';
import type { AgentRow, DirectorySnapshot, KeyRow, ProjectRow } from '../../core/directory.js';
import type { Envelope, ScopeType } from '../../core/envelope.js';
import { isRefused, type Refused, refuse } from '../../core/errors.js';
import type { Attribution } from '../../core/usage-event.js';
import { tierAccess } from '../../rules/budget/tier.js';
import type { KeyVerifier } from '../../stores/api-keys.js';
import { heardClaims } from './dimensions.js';

export interface AuthenticateDeps {
  keys: KeyVerifier;
  /** Every budget that a call touches which is for these. */
  envelopesFor(whom: Attribution, snapshot: DirectorySnapshot): readonly Envelope[];
}

/** What a key decides, the same for every call that it makes. */
type Identity = Caller;

/** Which key made a caller, by which snapshot. */
const proofs = new WeakMap<Caller, { row: KeyRow; snapshot: DirectorySnapshot }>();

// Rows are made anew with every snapshot, so what hangs on a row ends with its snapshot.
const identities = new WeakMap<KeyRow, Identity | Refused>();

/** `complete`: the claims are all that the call will make, so none that is required may lack. */
export function authenticate(
  deps: AuthenticateDeps,
  part: Pick<Call, 'credential' | 'claims' | 'known'>,
  snapshot: DirectorySnapshot,
  nowMs: number,
  complete = false,
): Caller | Refused {
  const proof = part.known && proofs.get(part.known);
  const row =
    proof?.snapshot === snapshot
      ? deps.keys.judge(proof.row, nowMs)
      : deps.keys.verify(part.credential, snapshot, nowMs);
  if (isRefused(row)) return row;
  let identity = identities.get(row);
  if (!identity) {
    identity = identify(row, snapshot, deps);
    identities.set(row, identity);
    if (!isRefused(identity)) proofs.set(identity, { row, snapshot });
  }
  if (isRefused(identity)) return identity;
  const claims = row.dimensions ? heardClaims(row.dimensions, part.claims, complete) : part.claims;
  if (isRefused(claims)) return claims;
  if (isEmpty(claims)) return identity;
  const attribution = { ...claims, ...identity.attribution };
  const envelopes = addsEnvelopes(claims, snapshot)
    ? deps.envelopesFor(attribution, snapshot)
    : identity.envelopes;
  return { ...identity, attribution, envelopes };
}

function isEmpty(claims: Attribution): boolean {
  for (const _claim in claims) return false;
  return true;
}

const CLAIMED: ReadonlySet<ScopeType> = new Set([
  'conversation',
  'task',
  'person',
  'occasion',
  'end_user',
  'tag',
  'issue',
  'pull_request',
]);
const claimedLimits = new WeakMap<DirectorySnapshot, boolean>();

// Most installations have no limit on anything that a client claims: then a call's envelopes are
// its key's, and nothing is worked out for it.
function addsEnvelopes(claims: Attribution, snapshot: DirectorySnapshot): boolean {
  if (snapshot.pairs?.size && claims.person !== undefined) return true;
  let some = claimedLimits.get(snapshot);
  if (some === undefined) {
    some = snapshot.limits.some((limit) => CLAIMED.has(limit.scopeType));
    claimedLimits.set(snapshot, some);
  }
  return some && !isEmpty(claims);
}

function identify(
  row: KeyRow,
  snapshot: DirectorySnapshot,
  deps: AuthenticateDeps,
): Identity | Refused {
  if (row.kind === 'admin') {
    return refuse('insufficient_permissions', 'An admin key cannot call models: use an agent key.');
  }
  const agent = row.agentId === null ? undefined : snapshot.agents.get(row.agentId);
  if (!agent?.isActive) return refuse('key_disabled', 'The agent of this API key is not active.');
  const project = agent.projectId === null ? undefined : snapshot.projects.get(agent.projectId);
  if (agent.projectId !== null && !project?.isActive) {
    return refuse('key_disabled', "The project of this API key's agent is not active.");
  }
  const attribution = attributionOf(row, agent, project);
  const tier = tierAccess(agent, snapshot);
  return {
    keyId: row.id,
    attribution,
    allowedModels: row.allowedModels,
    ...(tier && { tier }),
    modelConfig: agent.modelConfig,
    envelopes: deps.envelopesFor(attribution, snapshot),
  };
}

function attributionOf(row: KeyRow, agent: AgentRow, project: ProjectRow | undefined): Attribution {
  const userId = row.userId ?? project?.ownerId;
  return {
    keyId: row.id,
    agentId: agent.id,
    agentName: agent.name,
    agentType: agent.type,
    ...(project && { projectId: project.id }),
    ...(userId !== undefined && { userId }),
  };
}
