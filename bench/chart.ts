// The chart of BENCH.md: one panel a scenario, one bar a variant, in plain SVG that looks well on
// light and dark pages alike.

import type { Results } from './report.js';
import type { Row } from './scenario.js';

const PANELS: readonly { scenario: string; title: string; column: string; unit: string }[] = [
  { scenario: 'small-call', title: 'Small calls a second, one core', column: 'calls/s', unit: '' },
  { scenario: 'small-call', title: 'CPU of a small call', column: 'CPU µs/call', unit: ' µs' },
  { scenario: 'streaming', title: 'CPU of a chunk', column: 'CPU µs/chunk', unit: ' µs' },
  { scenario: 'streaming', title: 'Delay of a chunk, p50', column: 'delay p50 µs', unit: ' µs' },
  {
    scenario: 'open-streams',
    title: 'RSS of an open stream, at 9,000',
    column: 'KB/stream at 9000',
    unit: ' KB',
  },
];
const [WIDTH, LABELS, BAR, GAP, HEAD] = [760, 200, 16, 6, 34];

export function chart(results: Results): string {
  let y = 10;
  const parts: string[] = [];
  for (const panel of PANELS) {
    const rows = (results[panel.scenario]?.table ?? []).filter(
      (row) => typeof row[panel.column] === 'number' && row.variant !== 'direct',
    );
    if (rows.length === 0) continue;
    parts.push(text(10, y + 18, panel.title, 'title'));
    y += HEAD;
    const most = Math.max(...rows.map((row) => Number(row[panel.column])));
    for (const row of rows) {
      parts.push(bar(row, Number(row[panel.column]), most, y, panel.unit));
      y += BAR + GAP;
    }
    y += GAP * 2;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" role="img">`,
    '<title>Figures of the bench</title>',
    `<style>text{font:13px system-ui,sans-serif;fill:#57606a}.title{font-weight:600;font-size:14px}`,
    `.own{fill:#1a7f64}.other{fill:#8c959f}</style>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function bar(row: Row, value: number, most: number, y: number, unit: string): string {
  const width = Math.max(1, Math.round((value / most) * (WIDTH - LABELS - 110)));
  const name = `${row.variant}`;
  const kind = name.startsWith('purser') ? 'own' : 'other';
  const shown = value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
  return [
    text(LABELS - 10, y + 13, name, 'label', 'end'),
    `<rect class="${kind}" x="${LABELS}" y="${y}" width="${width}" height="${BAR}" rx="2"/>`,
    text(LABELS + width + 8, y + 13, `${shown}${unit}`, 'value'),
  ].join('');
}

function text(x: number, y: number, words: string, kind: string, anchor = 'start'): string {
  const safe = words.replace(/&/g, '&amp;').replace(/</g, '&lt;');
  return `<text class="${kind}" x="${x}" y="${y}" text-anchor="${anchor}">${safe}</text>`;
}
