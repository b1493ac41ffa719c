// The layout `plugin-name`: contacts as one CSV file a run, and a small file beside it that says it is complete.
// It sees no row: it answers with columns as SQL expressions, with names, and with what follows a file.
// `wit/plugin.wit` has the whole interface; its names are in camel case here.

import { artifact, csv, error, output, sqlText } from './outflow.js';

const manifest = {
  name: 'plugin-name',
  version: '0.1.0',
  summary: 'Contacts as one CSV file a run, and a file that says it is complete',
  requires: [
    { name: 'input', columns: [{ name: 'email', dataType: 'Utf8', nullable: true, doc: undefined }], doc: undefined },
  ],
  extras: [],
};

// JSON Schema of the options: outflow checks them against it first, and editors complete them by it.
const optionsSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  additionalProperties: false,
  required: ['client'],
  properties: {
    client: {
      description: 'The client, whose folder the files are in. Example: `acme`.',
      type: 'string',
      minLength: 1,
    },
  },
};

class Plan {
  constructor(options, run) {
    this.options = options;
    this.run = run;
  }

  static open(config, run) {
    const options = JSON.parse(config);
    if (options.client.includes('/')) {
      const message = 'holds a `/`, and it is one folder\'s name';
      throw [error('plugin-name/client', '/client', message, 'leave the `/` out')];
    }
    return new Plan(options, run);
  }

  outputs(inputs) {
    const input = inputs.find((dataset) => dataset.name === 'input');
    if (!input?.columns.some((column) => column.name === 'email')) {
      const help = 'add one with a `derive` transform';
      throw [error('plugin-name/columns', '', 'the rows have no column `email`', help)];
    }
    return [
      output('contacts', csv(), {
        fields: { email: 'sha256_identity("email")', client: sqlText(this.options.client) },
        rules: [
          { condition: '"email" IS NOT NULL', code: 'plugin-name/email', message: 'the contact has no `email`' },
        ],
        // The other columns of the rows follow, whatever they are.
        passThrough: true,
      }),
    ];
  }

  nameFiles(files) {
    const { year, month, day } = this.run.scheduled;
    const folder = `${year}${String(month).padStart(2, '0')}${String(day).padStart(2, '0')}`;
    return files.map((file) => ({
      path: `${this.options.client}/${folder}/${file.dataset}_${file.nonce.slice(0, 8)}.csv`,
      archiveEntry: undefined,
      contentType: 'text/csv',
      metadata: [],
    }));
  }

  filesWritten(files) {
    return files.map(({ name, facts }) =>
      artifact(`${name.path}.complete`, { file: name.path, rows: Number(facts.rows) }));
  }

  runWritten() {
    return [];
  }
}

export const layout = {
  describe: () => ({ ...manifest, configSchema: JSON.stringify(optionsSchema) }),
  Plan,
};
