// Text for people: aligned tables, bars, colours. Pure; the caller says whether colours may be.

import { styleText } from 'node:util';

export interface Column {
  title: string;
  /** Numbers stand to the right. */
  right?: boolean;
}

export type Cell = string | number | null | undefined;

/** Aligned columns under their titles; a cell that is null or undefined is a dash. */
export function tableText(columns: readonly Column[], rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((row) => columns.map((_, index) => cellText(row[index])));
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...texts.map((row) => [...row[index]!].length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) => pad(cell, widths[index]!, columns[index]!.right === true))
      .join('  ')
      .trimEnd();
  return [line(columns.map(({ title }) => title)), ...texts.map(line)].join('\n');
}

function cellText(cell: Cell): string {
  return cell === null || cell === undefined || cell === '' ? '-' : printable(String(cell));
}

/** What comes from elsewhere must not drive the terminal: control characters become spaces. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, ' ');
}

function pad(text: string, width: number, right: boolean): string {
  const space = ' '.repeat(Math.max(0, width - [...text].length));
  return right ? space + text : text + space;
}

/** A share as a bar of `width` characters; more than all of it is full. */
export function barText(share: number, width = 20): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width);
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}

export type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green' | 'cyan';

export function styled(style: Style, text: string, colour: boolean): string {
  return colour ? styleText(style, text) : text;
}

/** Thousands apart, so that long counts can be read. */
export function countText(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ' ');
}
