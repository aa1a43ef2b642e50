// Members of a request that never travel on, whatever the wire format.

import type { CallBody } from '../../core/call.js';

/**
 * What other gateways take from a body to choose address, key or price. A provider behind us may
 * be such a gateway, and would send the operator's key wherever the client says.
 */
const TAKEN_OUT = [
  'api_base',
  'api_key',
  'api_version',
  'base_url',
  'custom_llm_provider',
  'extra_headers',
  'fallbacks',
  'input_cost_per_token',
  'litellm_params',
  'mock_response',
  'output_cost_per_token',
  'user_config',
];

/** Notes each of them that the body has as to be left out. */
export function takeOut(
  members: CallBody['members'],
  changes: Map<string, Uint8Array | undefined>,
): void {
  for (const key of TAKEN_OUT) if (members.has(key)) changes.set(key, undefined);
}
