// What a Purser of the bench is configured as, and what it tells of itself.

import { get } from 'node:http';

export interface GatewayShape {
  envelopes?: 1 | 4 | 8;
  redis?: true;
  /** Rows go to a PostgreSQL on the other core, not to the one inside. */
  postgres?: true;
  /** A budget with no room for anything. */
  empty?: true;
  /** Cores for it and its workers; core 0 if absent. */
  cores?: string;
}

// The tokenizer of this model is public: prompts are counted, as they are in earnest.
export const MODEL = 'bench/gpt-4o-mini';

const MUCH = 900_000_000_000;
const LIMITS = [
  '{ scope: global, amount_usd: 1000000, period: monthly }',
  '{ scope: agent, agent: coder-1, amount_usd: 1000000, period: daily }',
  `{ scope: agent_type, agent_type: coder, amount_tokens: ${MUCH}, period: daily }`,
  `{ scope: project, project: bench, amount_requests: ${MUCH}, period: minutely }`,
  '{ scope: project, project: bench, amount_usd: 1000000, period: monthly }',
  '{ scope: agent, agent: coder-1, amount_usd: 1000000, period: monthly }',
  '{ scope: global, amount_usd: 1000000, period: daily }',
  `{ scope: agent, agent: coder-1, amount_requests: ${MUCH}, period: hourly }`,
];

export function gatewayConfig(upstreamPort: number, shape: GatewayShape): string {
  const limits = shape.empty
    ? ['{ scope: global, amount_usd: 0.000001, period: monthly }']
    : LIMITS.slice(0, shape.envelopes ?? 4);
  const upstream = `http://127.0.0.1:${upstreamPort}/v1`;
  return [
    'listen: { host: 127.0.0.1, port: 0 }',
    'providers:',
    '  sandbox: false',
    `  bench: { dialect: openai, base_url: "${upstream}", allow_private: true }`,
    'prices:',
    `  ${MODEL}: { input: 0.15, output: 0.6, context_tokens: 2000000 }`,
    'projects: [{ name: bench }]',
    'agents: [{ name: coder-1, type: coder, project: bench }]',
    'limits:',
    ...limits.map((limit) => `  - ${limit}`),
    '',
  ].join('\n');
}

/** The sum of a metric over its labels. */
export async function readMetric(port: number, name: string): Promise<number | undefined> {
  const text = await read(`http://127.0.0.1:${port}/metrics`);
  const values = text
    .split('\n')
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)));
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
}

// A connection of its own each time: one that was kept may have been given up in the meantime.
function read(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      resolve(Buffer.concat(chunks).toString());
    }).on('error', reject);
  });
}
