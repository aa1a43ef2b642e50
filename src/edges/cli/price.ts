// `purser price`: the catalog, with the configuration's overrides in it, and how a charge comes
// about. Needs no gateway.

import type { ArgsDef } from 'citty';
import { OperatorError } from '../../core/errors.js';
import { formatUsd } from '../../core/money.js';
import type { Price, TokenPrices } from '../../core/price.js';
import { NO_USAGE, type Usage } from '../../core/usage.js';
import type { Catalog } from '../../rules/catalog/catalog.js';
import { explainCharge } from '../../rules/catalog/explain.js';
import { isStandardTier, priceAt } from '../../rules/catalog/tier-rates.js';
import { type Args, type Command, define, flagsOf, LOCAL, print, rowsText } from './command.js';
import { priceUpdate } from './price-update.js';
import { type Cell, countText, tableText } from './table.js';

/** USD per million tokens, exactly: pico-USD a token are millionths of it. */
function rateText(pico: number | undefined): string | undefined {
  if (pico === undefined) return undefined;
  const digits = String(pico).padStart(7, '0');
  const fraction = digits.slice(-6).replace(/0{1,4}$/, '');
  return `${digits.slice(0, -6)}.${fraction}`;
}

const list: Command = (deps) =>
  define({
    meta: { name: 'list', description: 'List prices, in USD per million tokens' },
    args: {
      filter: {
        type: 'positional',
        required: false,
        description: 'Part of a name, such as openai/ or mini',
      },
      ...LOCAL,
    },
    run: ({ args }) => {
      const part = (args.filter ?? '').toLowerCase();
      const prices = deps
        .openCatalog(flagsOf(args))
        .list()
        .map(({ price }) => price)
        .filter((price) => nameOf(price).includes(part));
      print(deps, args, { data: prices }, () =>
        rowsText(
          prices,
          [
            { title: 'MODEL', cell: nameOf },
            { title: 'INPUT', right: true, cell: (price) => rateText(price.input) },
            { title: 'CACHED', right: true, cell: (price) => rateText(price.cachedRead) },
            { title: 'OUTPUT', right: true, cell: (price) => rateText(price.output) },
            { title: 'CONTEXT', right: true, cell: (price) => counted(price.contextTokens) },
            { title: 'OUTPUT MAX', right: true, cell: (price) => counted(price.outputTokensMax) },
            { title: 'SOURCE', cell: (price) => price.source },
          ],
          `No price has ${part} in its name.`,
        ),
      );
    },
  });

const counted = (count: number | undefined) => (count === undefined ? null : countText(count));
const nameOf = (price: Price) => `${price.provider}/${price.model}`;

const model = { type: 'positional', required: true, description: 'provider/model' } as const;

const show: Command = (deps) =>
  define({
    meta: { name: 'show', description: 'Show the price of a model as of now' },
    args: { model, ...LOCAL },
    run: ({ args }) => {
      const price = findPrice(deps.openCatalog(flagsOf(args)), args.model, deps.clock.nowMs());
      print(deps, args, price, () =>
        tableText([{ title: 'WHAT' }, { title: 'VALUE', right: true }], shownPrice(price)),
      );
    },
  });

const RATES: readonly (keyof TokenPrices)[] = [
  'input',
  'cachedRead',
  'cacheWrite5m',
  'cacheWrite1h',
  'output',
  'reasoning',
  'audioInput',
  'audioOutput',
  'imageInput',
];

function shownPrice(price: Price): [string, Cell][] {
  const fee = (nanoUsd: number | undefined) => nanoUsd && formatUsd(nanoUsd);
  const tiers = (price.tiers ?? []).flatMap((tier) =>
    rates(tier, `, input over ${countText(tier.aboveInputTokens)}`),
  );
  const services = Object.entries(price.serviceTiers ?? {}).flatMap(([name, tier]) =>
    rates(tier, `, ${name}`),
  );
  const rows: [string, Cell][] = [
    ...rates(price),
    ...tiers,
    ...services,
    ['USD a request', fee(price.feeRequestNanoUsd)],
    ['USD a web search', fee(price.feeWebSearchNanoUsd)],
    ['context, tokens', counted(price.contextTokens)],
    ['output at most, tokens', counted(price.outputTokensMax)],
    ['source', price.source],
    ['version', price.version],
  ];
  return rows.filter(([, value]) => value !== undefined && value !== null);
}

function rates(prices: TokenPrices, when = ''): [string, Cell][] {
  return RATES.map((rate) => [`${rate}, USD a million${when}`, rateText(prices[rate])]);
}

function findPrice(catalog: Catalog, name: string, atMs: number): Price {
  const slash = name.indexOf('/');
  const price =
    slash > 0 ? catalog.find(name.slice(0, slash), name.slice(slash + 1), atMs) : undefined;
  if (price !== undefined) return price;
  throw new OperatorError(
    `there is no price of ${name}`,
    'Look for it with `purser price list PART`, or add it to `prices:` of the configuration.',
  );
}

/** Flags by the class of usage that each counts. */
const CLASSES = {
  input: 'input',
  'cached-read': 'cachedRead',
  'cache-write-5m': 'cacheWrite5m',
  'cache-write-1h': 'cacheWrite1h',
  output: 'output',
  reasoning: 'reasoning',
  requests: 'requests',
  'web-searches': 'webSearches',
} as const satisfies Record<string, keyof Usage>;

const classArgs: ArgsDef = Object.fromEntries(
  Object.keys(CLASSES).map((name) => [
    name,
    { type: 'string' as const, valueHint: 'count', description: `How many: ${name}` },
  ]),
);

const explain: Command = (deps) =>
  define({
    meta: { name: 'explain', description: 'Price a usage line by line' },
    args: {
      model,
      'service-tier': {
        type: 'string',
        valueHint: 'name',
        description: 'At the rates of a tier: flex, priority',
      },
      ...LOCAL,
      ...classArgs,
    },
    run: ({ args }) => {
      const flags = flagsOf(args);
      const found = findPrice(deps.openCatalog(flags), String(args.model), deps.clock.nowMs());
      const price = atTier(found, args['service-tier']);
      const charge = explainCharge(price, usageOf(args));
      print(deps, args, charge, () => {
        const lines = rowsText(
          charge.lines,
          [
            { title: 'WHAT', cell: (line) => line.item },
            { title: 'COUNT', right: true, cell: (line) => countText(line.quantity) },
            { title: 'USD', right: true, cell: (line) => line.rateUsd },
            { title: 'FOR', cell: (line) => line.per },
            { title: 'PART', right: true, cell: (line) => line.usd },
          ],
          'Nothing was counted: give --input, --output and the like.',
        );
        return `${lines}\nCharged ${charge.totalUsd} USD (price ${charge.price.version}).`;
      });
    },
  });

function atTier(price: Price, tier: unknown): Price {
  if (typeof tier !== 'string' || tier === '') return price;
  const known = Object.keys(price.serviceTiers ?? {});
  if (isStandardTier(tier) || known.includes(tier)) return priceAt(price, tier);
  throw new OperatorError(
    `${nameOf(price)} has no rates for the tier ${tier}`,
    known.length > 0 ? `It has ${known.join(', ')}.` : 'It has one price for all.',
  );
}

function usageOf(args: Args): Usage {
  const usage = { ...NO_USAGE };
  for (const [flag, member] of Object.entries(CLASSES)) {
    const text = args[flag];
    if (text === undefined || text === '') continue;
    if (typeof text !== 'string' || !/^\d{1,12}$/.test(text)) {
      throw new OperatorError(`--${flag} ${String(text)} is no count`, 'Give a whole number.');
    }
    usage[member] = Number(text);
  }
  return usage;
}

export const priceCommand: Command = (deps) =>
  define({
    meta: { name: 'price', description: 'The price catalog' },
    subCommands: {
      list: list(deps),
      show: show(deps),
      explain: explain(deps),
      update: priceUpdate(deps),
    },
  });
