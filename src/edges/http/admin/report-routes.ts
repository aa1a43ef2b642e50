// The door of reports: `GET /admin/v1/usage?group_by=agent,model,day&since=...&zone=...`, with a
// filter a dimension, as JSON or as CSV.

import { z } from 'zod';
import { csvText } from '../../../core/csv.js';
import { isRefused } from '../../../core/errors.js';
import type { AdminDeps } from '../../../flows/admin/change.js';
import {
  DIMENSIONS,
  type Dimension,
  type Group,
  groupOf,
  TIMES,
} from '../../../flows/admin/usage-dimensions.js';
import { reportUsage } from '../../../flows/admin/usage-report.js';
import { isTimeZone } from '../../../rules/budget/local-time.js';
import { reportAnswer } from './answers-policy.js';
import { type AdminRoute, ok } from './doors.js';
import { readQuery } from './read.js';

const GROUPS_MAX = 8;
const TAGS_MAX = 16;
const KNOWN = [...DIMENSIONS, 'tag:<key>', ...TIMES].join(', ');

const groups = z
  .string()
  .max(1000)
  .transform((text, context): Group[] => {
    const names = text === '' ? [] : text.split(',');
    const fail = (message: string) => context.addIssue({ code: 'custom', message });
    if (names.length > GROUPS_MAX) fail(`at most ${GROUPS_MAX} may be named`);
    if (new Set(names).size < names.length) fail('names one twice');
    return names.flatMap((name) => {
      const group = groupOf(name);
      if (!group) fail(`${name} is none of ${KNOWN}`);
      return group ?? [];
    });
  });

const tags = z
  .string()
  .max(2000)
  .transform((text, context) => {
    const pairs = (text === '' ? [] : text.split(',')).map((pair) =>
      /^([^=]{1,64})=(.*)$/s.exec(pair),
    );
    if (pairs.includes(null) || pairs.length > TAGS_MAX || text.includes('\0')) {
      context.addIssue({ code: 'custom', message: 'is not key=value, with commas between' });
      return z.NEVER;
    }
    return Object.fromEntries(pairs.map((pair) => [pair?.[1] ?? '', pair?.[2] ?? '']));
  });

const filter = z
  .string()
  .max(256)
  .refine((text) => !text.includes('\0'), 'has a NUL character')
  .optional();
const filters = Object.fromEntries(DIMENSIONS.map((name) => [name, filter]));
const moment = z.union([z.iso.date(), z.iso.datetime({ offset: true })]).optional();

export const reportSchema = z.strictObject({
  group_by: groups.prefault(''),
  since: moment,
  until: moment,
  zone: z.string().max(64).refine(isTimeZone, 'is no IANA time zone').optional(),
  tag: tags.prefault(''),
  format: z.enum(['json', 'csv']).default('json'),
  ...(filters as Record<Dimension, typeof filter>),
});

export function reportRoutes(deps: AdminDeps): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: 'usage',
      kind: 'read',
      query: reportSchema,
      answer: reportAnswer,
      status: 200,
      csv: true,
      async door({ exchange }) {
        const asked = readQuery(exchange, reportSchema);
        if (isRefused(asked)) return asked;
        const { group_by, since, until, zone, tag, format, ...given } = asked;
        const request = { groups: group_by, since, until, zone, tags: tag, filters: kept(given) };
        const report = await reportUsage(deps, request);
        if (isRefused(report)) return report;
        if (format === 'json') return ok({ object: 'usage_report', ...report });
        return { status: 200, body: undefined, csv: csvText(report.columns, report.data) };
      },
    },
  ];
}

function kept(
  given: Partial<Record<Dimension, string | undefined>>,
): Partial<Record<Dimension, string>> {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries);
}
