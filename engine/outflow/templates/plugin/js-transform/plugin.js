// The transform `plugin-name`: writes names in a uniform way, and refuses rows whose name has digits. Only the column
// it reads crosses to it; the other columns of the rows stay where they are.
// `wit/plugin.wit` has the whole interface; its names are in camel case here.

import { column, error, reject, textColumn, texts } from './outflow.js';

const manifest = {
  name: 'plugin-name',
  version: '0.1.0',
  summary: 'Writes names in a uniform way',
  extras: [],
};

// JSON Schema of the options: outflow checks them against it first, and editors complete them by it.
const optionsSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  additionalProperties: false,
  required: ['column'],
  properties: {
    column: {
      description: 'The column of names. Example: `name`.',
      type: 'string',
      minLength: 1,
    },
  },
};

class Instance {
  constructor(options) {
    this.options = options;
  }

  static open(config, input) {
    const options = JSON.parse(config);
    if (!input.some(({ name }) => name === options.column)) {
      throw [error('plugin-name/column', '/column', `the rows have no column \`${options.column}\``)];
    }
    return new Instance(options);
  }

  io() {
    const names = column(this.options.column, 'Utf8');
    return { reads: [names], writes: [names], drops: [], mode: 'one-to-one', rowsPerBatch: 8192, extras: [] };
  }

  // `input` has the columns of `reads`, the answer those of `writes`. Throw a text to fail the batch as a whole.
  apply(input) {
    const rejects = [];
    const written = texts(input.columns[0]).map((name, row) => {
      if (name !== null && /[0-9]/.test(name)) {
        rejects.push(reject(row, 'plugin-name/digits', `the name \`${name}\` has digits`));
        return null;
      }
      return name === null ? null : uniform(name);
    });
    const batch = { rows: input.rows, columns: [textColumn(written)], children: [] };
    return { batch, sourceRow: undefined, rejects };
  }
}

// Words with a capital first and one space between them.
function uniform(name) {
  const words = name.split(/\s+/).filter((word) => word !== '');
  return words.map(([first, ...rest]) => first.toUpperCase() + rest.join('').toLowerCase()).join(' ');
}

export const transform = {
  describe: () => ({ ...manifest, configSchema: JSON.stringify(optionsSchema) }),
  Instance,
};
