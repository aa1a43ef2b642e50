// What `npm start` prints once the gateway listens: where it is, what it keeps its books in, the
// keys while they can still be shown, and a first call that works as printed.

import { styled } from './table.js';

export interface BannerFacts {
  version: string;
  /** `http://127.0.0.1:8787`. */
  address: string;
  /** Where `/metrics` and `/admin` are, if elsewhere. */
  operatorAddress: string | null;
  ledger: 'memory' | 'redis';
  database: 'embedded' | 'postgres';
  dataDir: string;
  configFile: string;
  mode: 'enforce' | 'dry';
  sandbox: boolean;
  /** Names of the providers that can be called. */
  providers: readonly string[];
  /** Keys that were made in this start: the only time that they are shown. */
  madeKeys: {
    agent: { name: string; key: string } | null;
    admin: { key: string; file: string } | null;
  };
  warnings: readonly string[];
}

const LEDGERS = { memory: 'in this process', redis: 'Redis' } as const;

export function bannerText(facts: BannerFacts, colour: boolean): string {
  const { agent, admin } = facts.madeKeys;
  const bold = (text: string) => styled('bold', text, colour);
  const database = facts.database === 'embedded' ? `embedded in ${facts.dataDir}` : 'PostgreSQL';
  const providers = [...(facts.sandbox ? ['sandbox'] : []), ...facts.providers].join(', ');
  const lines = [
    `${bold(`Purser ${facts.version}`)} listens at ${bold(facts.address)}`,
    row('ledger', `${LEDGERS[facts.ledger]}; database ${database}`),
    row('providers', providers || 'none: set a key such as OPENAI_API_KEY and start again'),
    row('config', facts.configFile),
  ];
  if (facts.operatorAddress) lines.push(row('operators', facts.operatorAddress));
  if (facts.mode === 'dry') lines.push(row('mode', 'dry: nothing is refused'));
  lines.push(...facts.warnings.map((warning) => row('note', warning)));
  if (agent || admin) lines.push('', 'Keys, shown this once:');
  if (agent) lines.push(row(agent.name, bold(agent.key)));
  if (admin) lines.push(row('admin', `${bold(admin.key)} (also in ${admin.file})`));
  if (facts.sandbox) {
    const head = agent ? 'A first call:' : "A call, with PURSER_KEY set to an agent's key:";
    lines.push('', head, curlText(facts.address, agent?.key ?? '$PURSER_KEY'));
  }
  lines.push('', `Next: npx purser usage | npx purser limit list | npx purser --help`);
  return `${lines.join('\n')}\n`;
}

function row(title: string, text: string): string {
  return `  ${title.padEnd(10)} ${text}`;
}

// One line, double quotes where the key may be a variable, none that a shell would change.
function curlText(address: string, key: string): string {
  const body = JSON.stringify({
    model: 'sandbox/echo',
    stream: true,
    messages: [{ role: 'user', content: 'Hello, Purser' }],
  });
  return (
    `  curl -iN ${address}/v1/chat/completions -H "Authorization: Bearer ${key}"` +
    ` -H "Content-Type: application/json" -d '${body}'`
  );
}
