// What the figures are meant to reach. A figure that misses its aim is explained in notes.md.

export interface Aim {
  figure: string;
  says: string;
  least?: number;
  most?: number;
  /** Beyond the aim. */
  stretch?: number;
}

export const AIMS: readonly Aim[] = [
  {
    figure: 'small-call.embedded',
    says: 'whole flow, small call, embedded ledger, per core: calls/s over the bare proxy',
    ...{ least: 0.6, stretch: 0.75 },
  },
  {
    figure: 'small-call.redis',
    says: 'whole flow, small call, Redis ledger, per core: calls/s over the bare proxy',
    ...{ least: 0.33, stretch: 0.45 },
  },
  {
    figure: 'streaming.chunks',
    says: 'streaming with metering: chunks/s of a core over the bare proxy',
    least: 0.85,
  },
  {
    figure: 'streaming.nginx',
    says: 'streaming with metering: chunks/s of a core over nginx (a stretch)',
    least: 0.4,
  },
  {
    figure: 'streaming.delay',
    says: 'added delay of a chunk, over what the bare proxy adds',
    most: 1.2,
  },
  {
    figure: 'open-streams.rss',
    says: 'RSS of an open stream at 9,000, over the bare proxy',
    most: 1.3,
  },
  {
    figure: 'soak.growth',
    says: 'RSS at the end of ten minutes of 9,000 streams over RSS after the first',
    most: 1.05,
  },
  {
    figure: 'conversation.growing-ms',
    says: '400 KB growing by a message a turn: CPU over JSON.parse, ms',
    most: 2,
  },
  {
    figure: 'conversation.block-ms',
    says: '400 KB unseen: longest block of the loop, ms',
    most: 2,
  },
  {
    figure: 'conversation.letter-ms',
    says: 'a megabyte of `a`: off the loop, ms',
    most: 250,
  },
  {
    figure: 'neighbour.moved-ms',
    says: "another caller's p99 meanwhile moves by, ms",
    most: 5,
  },
  { figure: 'fit.ms', says: '200 k tokens fitted to 32 k, from the second call on, ms', most: 25 },
  { figure: 'fit.block-ms', says: 'the same: longest block of the loop, ms', most: 2 },
  { figure: 'rows.copy', says: 'usage rows/s of one recorder over `\\copy`', least: 0.25 },
  { figure: 'ledger.ratio', says: 'ledger pairs/s on Redis over SET', least: 0.24 },
  { figure: 'reports.ms', says: 'a month by agent of a million rows, ms', most: 200 },
];

export function meets({ least, most }: Aim, figure: number): boolean {
  return figure >= (least ?? -Infinity) && figure <= (most ?? Infinity);
}
