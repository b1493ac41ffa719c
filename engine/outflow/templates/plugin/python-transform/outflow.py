"""Columns as lists of texts and back, and short ways to the records of the interface. Change and add to them freely.

Numbers need no such help: `values.value` of an `Int64` or `Float64` column is the list of them."""

from wit_world.imports.columns import Array, Values_Utf8, Varlen
from wit_world.imports.types import Column, Diagnostic, Severity


def is_valid(array: Array, row: int) -> bool:
    """Bit `row` of `validity` says whether the row has a value; without bits every row has one."""
    return array.validity is None or array.validity[row >> 3] >> (row & 7) & 1 == 1


def texts(array: Array) -> list[str | None]:
    """The texts of a `utf8` column, None where there is none."""
    offsets, data = array.values.value.offsets, array.values.value.bytes
    return [
        data[offsets[row] : offsets[row + 1]].decode() if is_valid(array, row) else None for row in range(array.len)
    ]


def text_column(values: list[str | None]) -> Array:
    """A `utf8` column of a list of texts and Nones."""
    data, offsets, validity = bytearray(), [0], bytearray((len(values) + 7) // 8)
    for row, value in enumerate(values):
        if value is not None:
            validity[row >> 3] |= 1 << (row & 7)
            data += value.encode()
        offsets.append(len(data))
    return Array(len(values), bytes(validity), Values_Utf8(Varlen(offsets, bytes(data))))


def column(name: str, data_type: str) -> Column:
    """A column of `reads` or `writes`, with its Arrow type: `Utf8`, `Int64`, `Float64`, `Boolean`."""
    return Column(name, data_type, True, None)


def error(code: str, path: str, message: str, help: str | None = None) -> Diagnostic:
    """An error at a JSON pointer into the options; raise `Err` of a list of them."""
    return Diagnostic(Severity.ERROR, code, path, message, help)
