// Short ways to the records of the interface, each starting from the plain case. Change and add to them freely.

// RFC 4180 in UTF-8 with a header; any part can be given otherwise.
export const csv = (parts = {}) => ({
  tag: 'csv',
  val: {
    delimiter: ',', quote: '"', escape: '"', terminator: '\n', header: true, nullText: '', listSeparator: ',',
    decimalPoint: '.', encoding: 'utf-8', bom: false, ...parts,
  },
});

export const jsonLines = (omitNull = false) => ({ tag: 'json-lines', val: { nested: { tag: 'native' }, omitNull } });

// Files of `dataset` from the rows of the pipeline. `fields` is an object of SQL expressions by column, `rules` a list
// of conditions that rows must keep, `partitionBy` an object of SQL expressions that split the rows into files.
export const output = (dataset, format, { fields = {}, rules = [], partitionBy = {}, ...parts } = {}) => ({
  dataset,
  kind: 'data',
  input: 'input',
  query: undefined,
  expand: undefined,
  filter: undefined,
  fields: Object.entries(fields).map(([name, expr]) => ({ name, expr, json: false, doc: undefined })),
  passThrough: false,
  partitionBy: Object.entries(partitionBy).map(([name, value]) => ({ name, value })),
  orderBy: [],
  format,
  compression: 'none',
  roll: { maxRows: undefined, maxBytes: undefined },
  whenEmpty: 'skip',
  naming: 'before',
  counters: [],
  extras: rules.map((rule) => ['rule', JSON.stringify(rule)]),
  ...parts,
});

// A JSON file: `value` on one line.
export const artifact = (path, value) => ({
  path,
  contentType: 'application/json',
  body: utf8(`${JSON.stringify(value)}\n`),
});

// An error at a JSON pointer into the options; throw a list of them.
export const error = (code, path, message, help = undefined) => ({ severity: 'error', code, path, message, help });

// A text and a column in SQL, quoted.
export const sqlText = (text) => `'${text.replaceAll("'", "''")}'`;
export const sqlColumn = (name) => `"${name.replaceAll('"', '""')}"`;

const utf8 = (text) =>
  Uint8Array.from(unescape(encodeURIComponent(text)), (character) => character.charCodeAt(0));
