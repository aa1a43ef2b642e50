// Rows as CSV (RFC 4180): lines end in CRLF, what needs quotes has them. Text that a spreadsheet
// would take for a formula gets an apostrophe before it, because it may come from a caller.

export type CsvValue = string | number | null | undefined;

const FORMULA = /^[=+@\t\r]|^-(?!\d+(\.\d+)?$)/;

export function csvText(
  columns: readonly string[],
  rows: readonly Readonly<Record<string, unknown>>[],
): string {
  const line = (cells: readonly string[]) => `${cells.join(',')}\r\n`;
  const lines = rows.map((row) => line(columns.map((name) => cell(row[name] as CsvValue))));
  return line(columns.map(cell)) + lines.join('');
}

function cell(value: CsvValue): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
