// The JSON schema of config/gateway.yaml, for editors. Written to config/gateway.schema.json by
// `npm run build`; a test fails when the file there is another.

import { z } from 'zod';
import { configSchema } from './config-schema.js';

/** As an editor sees the file: before `${VAR}` is filled in and before defaults. */
export function configJsonSchema(): z.core.JSONSchema.JSONSchema {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => allowVariable(jsonSchema),
  });
  return { ...schema, title: 'Purser configuration' };
}

export function configJsonSchemaText(): string {
  return `${JSON.stringify(configJsonSchema(), null, 2)}\n`;
}

// `${PORT:-8787}` stands for a number in the file, and is text to whoever reads only the file.
function allowVariable(schema: z.core.JSONSchema.BaseSchema): void {
  const { type, minimum, maximum, exclusiveMinimum, ...rest } = schema;
  if (type !== 'integer' && type !== 'boolean' && type !== 'number') return;
  const plain: Record<string, unknown> = { type };
  for (const [key, value] of Object.entries({ minimum, maximum, exclusiveMinimum })) {
    if (value === undefined) continue;
    plain[key] = value;
    delete (schema as Record<string, unknown>)[key];
  }
  delete schema.type;
  schema.anyOf = [plain, { type: 'string', pattern: '^\\$\\{\\w+(:-[^}]*)?\\}$' }];
  Object.assign(schema, rest);
}
