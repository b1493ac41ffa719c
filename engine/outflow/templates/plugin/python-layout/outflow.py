"""Short ways to the records of the interface, each starting from the plain case. Change and add to them freely."""

import json

from wit_world.exports.layout import (
    Artifact,
    Compression,
    Csv,
    Field,
    Format,
    Format_Csv,
    Format_JsonLines,
    Json,
    Naming,
    NestedAs_Native,
    Output,
    PartitionKey,
    Roll,
    WhenEmpty,
)
from wit_world.imports.types import Diagnostic, Severity


def csv(delimiter: str = ",", terminator: str = "\n", header: bool = True, encoding: str = "utf-8") -> Format:
    """RFC 4180 unless told otherwise."""
    return Format_Csv(Csv(delimiter, '"', '"', terminator, header, "", ",", ".", encoding, False))


def json_lines(omit_null: bool = False) -> Format:
    return Format_JsonLines(Json(NestedAs_Native(), omit_null))


def output(
    dataset: str,
    format: Format,
    fields: dict[str, str] = {},
    rules: list[tuple[str, str, str]] = [],
    partition_by: dict[str, str] = {},
    pass_through: bool = False,
) -> Output:
    """Files of `dataset` from the rows of the pipeline. `fields` and `partition_by` are SQL expressions by name;
    `rules` are conditions that rows must keep, each with a code and a message."""
    return Output(
        dataset=dataset,
        kind="data",
        input="input",
        query=None,
        expand=None,
        filter=None,
        fields=[Field(name, expr, False, None) for name, expr in fields.items()],
        pass_through=pass_through,
        partition_by=[PartitionKey(name, value) for name, value in partition_by.items()],
        order_by=[],
        format=format,
        compression=Compression.NONE,
        roll=Roll(None, None),
        when_empty=WhenEmpty.SKIP,
        naming=Naming.BEFORE,
        counters=[],
        extras=[
            ("rule", json.dumps({"condition": condition, "code": code, "message": message}))
            for condition, code, message in rules
        ],
    )


def artifact(path: str, value: object) -> Artifact:
    """A JSON file: `value` on one line."""
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n"
    return Artifact(path, "application/json", body.encode())


def error(code: str, path: str, message: str, help: str | None = None) -> Diagnostic:
    """An error at a JSON pointer into the options; raise `Err` of a list of them."""
    return Diagnostic(Severity.ERROR, code, path, message, help)


def sql_text(text: str) -> str:
    """A text in SQL, quoted."""
    return "'" + text.replace("'", "''") + "'"


def sql_column(name: str) -> str:
    """A column in SQL, quoted."""
    return '"' + name.replace('"', '""') + '"'
