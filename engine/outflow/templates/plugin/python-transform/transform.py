"""What the transform does. Only the columns it reads cross to it; the other columns of the rows stay where they are.
Equal arguments must give equal answers."""

import json

from componentize_py_types import Err
from wit_world.exports.transform import Io, Mode, Reject, Step
from wit_world.imports.columns import Batch
from wit_world.imports.types import Column

from outflow import column, error, text_column, texts


class Instance:
    def __init__(self, options: dict):
        self.options = options

    @classmethod
    def open(cls, config: str, input: list[Column]) -> "Instance":
        options = json.loads(config)
        if all(column.name != options["column"] for column in input):
            raise Err([error("plugin-name/column", "/column", f"the rows have no column `{options['column']}`")])
        return cls(options)

    def io(self) -> Io:
        names = column(self.options["column"], "Utf8")
        return Io(reads=[names], writes=[names], drops=[], mode=Mode.ONE_TO_ONE, rows_per_batch=8192, extras=[])

    def apply(self, input: Batch) -> Step:
        """`input` has the columns of `reads`, the answer those of `writes`. Raise `Err` of a text to fail the batch
        as a whole."""
        written, rejects = [], []
        for row, name in enumerate(texts(input.columns[0])):
            if name is not None and any(character in "0123456789" for character in name):
                rejects.append(Reject(row, "plugin-name/digits", f"the name `{name}` has digits"))
                name = None
            written.append(None if name is None else uniform(name))
        return Step(Batch(input.rows, [text_column(written)], []), None, rejects)


def uniform(name: str) -> str:
    """Words with a capital first and one space between them."""
    return " ".join(word[0].upper() + word[1:].lower() for word in name.split())
