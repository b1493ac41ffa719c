// Columns as lists of texts and back, and short ways to the records of the interface. Change and add to them freely.
// Numbers need no such help: `values.val` of an `int64` column is a BigInt64Array, of a `float64` one a Float64Array.

// Bit `row` of `validity` says whether the row has a value; without bits every row has one.
export const isValid = ({ validity }, row) =>
  validity === undefined || ((validity[row >> 3] >> (row & 7)) & 1) === 1;

// The texts of a `utf8` column, null where there is none.
export function texts(array) {
  const { offsets, bytes } = array.values.val;
  return Array.from({ length: array.len }, (_, row) =>
    isValid(array, row) ? decoded(bytes, offsets[row], offsets[row + 1]) : null);
}

// A `utf8` column of a list of texts and nulls.
export function textColumn(values) {
  const bytes = [];
  const offsets = new Int32Array(values.length + 1);
  const validity = new Uint8Array((values.length + 7) >> 3);
  values.forEach((value, row) => {
    if (value !== null) {
      validity[row >> 3] |= 1 << (row & 7);
      encode(value, bytes);
    }
    offsets[row + 1] = bytes.length;
  });
  return { len: values.length, validity, values: { tag: 'utf8', val: { offsets, bytes: Uint8Array.from(bytes) } } };
}

// A column of `reads` or `writes`, with its Arrow type: `Utf8`, `Int64`, `Float64`, `Boolean`.
export const column = (name, dataType) => ({ name, dataType, nullable: true, doc: undefined });

// A row of the batch for the dead letter. A code is `plugin-name/reason`.
export const reject = (row, code, message) => ({ row, code, message });

// An error at a JSON pointer into the options; throw a list of them.
export const error = (code, path, message, help = undefined) => ({ severity: 'error', code, path, message, help });

// UTF-8 by hand: the engine inside the component has no TextDecoder.
function decoded(bytes, from, to) {
  let text = '';
  for (let at = from; at < to; ) {
    const lead = bytes[at++];
    const more = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    let code = more === 0 ? lead : lead & (0x3f >> more);
    for (const end = at + more; at < end; at++) {
      code = (code << 6) | (bytes[at] & 0x3f);
    }
    text += String.fromCodePoint(code);
  }
  return text;
}

function encode(text, bytes) {
  for (const character of text) {
    const code = character.codePointAt(0);
    if (code < 0x80) {
      bytes.push(code);
    } else if (code < 0x800) {
      bytes.push(0xc0 | (code >> 6), 0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
      bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    } else {
      bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 0x3f), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    }
  }
}
