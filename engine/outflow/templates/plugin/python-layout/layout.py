"""What the layout does. It sees no row: it answers with columns as SQL expressions, with names, and with what
follows a file. Equal arguments must give equal answers."""

import json

from componentize_py_types import Err
from wit_world.exports.layout import Artifact, FileIntent, FileName, Output, Run, Written
from wit_world.imports.types import Dataset

from outflow import artifact, csv, error, output, sql_text


class Plan:
    def __init__(self, options: dict, run: Run):
        self.options = options
        self.run = run

    @classmethod
    def open(cls, config: str, run: Run) -> "Plan":
        options = json.loads(config)
        if "/" in options["client"]:
            message = "holds a `/`, and it is one folder's name"
            raise Err([error("plugin-name/client", "/client", message, "leave the `/` out")])
        return cls(options, run)

    def outputs(self, inputs: list[Dataset]) -> list[Output]:
        columns = [column.name for dataset in inputs if dataset.name == "input" for column in dataset.columns]
        if "email" not in columns:
            help = "add one with a `derive` transform"
            raise Err([error("plugin-name/columns", "", "the rows have no column `email`", help)])
        return [
            output(
                "contacts",
                csv(),
                fields={"email": 'sha256_identity("email")', "client": sql_text(self.options["client"])},
                rules=[('"email" IS NOT NULL', "plugin-name/email", "the contact has no `email`")],
                # The other columns of the rows follow, whatever they are.
                pass_through=True,
            )
        ]

    def name_files(self, files: list[FileIntent]) -> list[FileName]:
        at = self.run.scheduled
        folder = f"{self.options['client']}/{at.year:04}{at.month:02}{at.day:02}"
        return [FileName(f"{folder}/{file.dataset}_{file.nonce[:8]}.csv", None, "text/csv", []) for file in files]

    def files_written(self, files: list[Written]) -> list[Artifact]:
        return [
            artifact(f"{file.name.path}.complete", {"file": file.name.path, "rows": file.facts.rows}) for file in files
        ]

    def run_written(self, files: list[Written]) -> list[Artifact]:
        return []
