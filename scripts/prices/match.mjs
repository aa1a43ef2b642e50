// Match rules of genai-prices compiled to exact names and prefixes. What cannot be said so
// (contains, patterns) is tried on every name that is known, and the names that match are kept.

/** Whether `rule` matches `name`, as genai-prices itself decides it. */
export function matches(rule, name) {
  if (rule.or) return rule.or.some((part) => matches(part, name));
  if (rule.and) return rule.and.every((part) => matches(part, name));
  if (rule.regex !== undefined) return new RegExp(rule.regex).test(name);
  const [kind, text] = Object.entries(rule)[0];
  const [held, wanted] = [name.toLowerCase(), text.toLowerCase()];
  if (kind === 'equals') return held === wanted;
  if (kind === 'starts_with') return held.startsWith(wanted);
  if (kind === 'ends_with') return held.endsWith(wanted);
  if (kind === 'contains') return held.includes(wanted);
  throw new Error(`unknown match rule ${kind}`);
}

/** `{names, prefixes}`, lower case; a name of theirs matches the rule, a prefix may match more. */
export function compile(rule) {
  const names = new Set();
  const prefixes = new Set();
  const visit = (part) => {
    for (const inner of part.or ?? part.and ?? []) visit(inner);
    if (part.equals !== undefined) names.add(part.equals.toLowerCase());
    if (part.ends_with !== undefined) names.add(part.ends_with.toLowerCase());
    if (part.starts_with !== undefined) prefixes.add(part.starts_with.toLowerCase());
    if (part.contains !== undefined) prefixes.add(part.contains.toLowerCase());
  };
  visit(rule);
  return { names, prefixes };
}

/** Every name that some source uses for a model of the provider, lower case. */
export function knownNames(provider) {
  const known = new Set();
  for (const model of provider.priced) {
    known.add(model.id.toLowerCase());
    for (const name of compile(model.match).names) known.add(name);
  }
  for (const model of [...provider.listed, ...provider.stale]) known.add(model.id.toLowerCase());
  return [...known].sort();
}

/** Without a full trailing date, which the catalog strips too: `-20250514`, `-2024-07-18`. */
export function undated(name) {
  return name.replace(/[-@](?:20\d{6}|20\d\d-\d\d-\d\d)$/, '');
}
