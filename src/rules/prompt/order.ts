// Who is cut first. Compared by code units, never by a locale: the order is the same everywhere.

/** The first of them is cut first; a category that is not named here stands with `context`. */
export const CATEGORIES = ['history', 'context', 'memory', 'rules', 'input', 'system'] as const;

interface Ranked {
  key: string;
  category: string;
  priority: number;
  mustKeep: boolean;
}

export function compareSlots(left: Ranked, right: Ranked): number {
  const category = categoryRank(left.category) - categoryRank(right.category);
  if (category !== 0) return category;
  if (left.priority !== right.priority) return left.priority - right.priority;
  if (left.mustKeep !== right.mustKeep) return left.mustKeep ? 1 : -1;
  return left.key < right.key ? -1 : left.key > right.key ? 1 : 0;
}

function categoryRank(category: string): number {
  const rank = (CATEGORIES as readonly string[]).indexOf(category);
  return rank === -1 ? CATEGORIES.indexOf('context') : rank;
}
