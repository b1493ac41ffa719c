"""The layout `plugin-name`: contacts as one CSV file a run, and a small file beside it that says it is complete.

This module says who the plugin is; `layout.py` has what it does. `wit/plugin.wit` is the whole interface."""

import json

from wit_world import exports
from wit_world.exports.layout import Manifest
from wit_world.imports.types import Column, Dataset

# JSON Schema of the options: outflow checks them against it first, and editors complete them by it.
OPTIONS = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["client"],
    "properties": {
        "client": {
            "description": "The client, whose folder the files are in. Example: `acme`.",
            "type": "string",
            "minLength": 1,
        },
    },
}


class Layout(exports.Layout):
    def describe(self) -> Manifest:
        return Manifest(
            name="plugin-name",
            version="0.1.0",
            summary="Contacts as one CSV file a run, and a file that says it is complete",
            config_schema=json.dumps(OPTIONS),
            requires=[Dataset("input", [Column("email", "Utf8", True, None)], None)],
            extras=[],
        )
