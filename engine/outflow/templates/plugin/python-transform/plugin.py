"""The transform `plugin-name`: writes names in a uniform way, and refuses rows whose name has digits.

This module says who the plugin is; `transform.py` has what it does. `wit/plugin.wit` is the whole interface."""

import json

from wit_world import exports
from wit_world.exports.transform import Manifest

# JSON Schema of the options: outflow checks them against it first, and editors complete them by it.
OPTIONS = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["column"],
    "properties": {
        "column": {
            "description": "The column of names. Example: `name`.",
            "type": "string",
            "minLength": 1,
        },
    },
}


class Transform(exports.Transform):
    def describe(self) -> Manifest:
        return Manifest(
            name="plugin-name",
            version="0.1.0",
            summary="Writes names in a uniform way",
            config_schema=json.dumps(OPTIONS),
            extras=[],
        )
