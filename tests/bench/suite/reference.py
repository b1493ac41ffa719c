"""What must come out, row by row in plain Python: slow, and hard to get wrong. And how the files of an engine are read back.

Rows are lists of text. Values are compared, not bytes: a CSV field is itself with quotes or without, JSON is its value."""

import csv
import glob
import hashlib
import io
import json
import re
import zipfile

from suite.workloads import CALL_COLUMNS, EVENT_COLUMNS, IDENTIFIED_COLUMNS, NESTED_COLUMNS, SHAPES, SPLIT_COLUMNS

csv.field_size_limit(1 << 30)


def canonical(value):
    """JSON as text that is the same for equal values: keys sorted, 250.0 written as 250."""

    def plain(value):
        if isinstance(value, dict):
            return {key: plain(value[key]) for key in sorted(value)}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return int(value) if isinstance(value, float) and value == int(value) else value

    return json.dumps(plain(json.loads(value) if isinstance(value, str) else value))


def _csv(lines, **dialect):
    return csv.DictReader(lines, **dialect)


def _open(path):
    return open(path, newline="", encoding="utf-8")


def digest(address):
    """An address as an identifier."""
    return hashlib.sha256(address.strip(" ").lower().encode()).hexdigest()


def _identified(row):
    label = f"{row['flow_name']}/{row['variant'] or 'none'}/{row['action']}"
    return row | {"identifier": digest(row["email"]), "brand": "acme", "label": label}


def _call(row):
    columns = CALL_COLUMNS[row["type"]]
    return [row["type"], *(canonical(row[key]) if key in NESTED_COLUMNS else row[key] for key in columns)]


def expected(workload, data, size):
    """The rows that must come out."""
    name = workload.name
    if name == "w4":
        with open(data / workload.source(size), encoding="utf-8") as lines:
            yield from (_call(json.loads(line)) for line in lines)
        return
    kind = workload.kind
    # The Parquet file of W5 has the rows of the CSV file.
    with _open(data / f"{kind}_{size}.csv") as lines:
        for row in _csv(lines):
            if name in ("w1", "w1-plugin", "w2"):
                yield [_identified(row)[column] for column in IDENTIFIED_COLUMNS]
            elif name == "w3":
                yield [_identified(row | {"revenue": repr(float(row["revenue"]))})[column] for column in IDENTIFIED_COLUMNS]
            elif name == "w5":
                day = row["timestamp"][:10].replace("-", "")
                yield [day, row["client_id"], *(row[column] for column in SPLIT_COLUMNS)]
            elif name == "w6":
                yield [row[column] for column in EVENT_COLUMNS]
            else:
                label = f"{row['kind']}/{row['variant'] or 'none'}"
                yield [digest(row["email"]), *list(row.values())[1:], "acme", label]


def delivered(workload, folder):
    """The rows that an engine wrote."""
    path = folder / workload.output
    if workload.name in ("w1", "w1-plugin"):
        yield from _delivered_csv(path, IDENTIFIED_COLUMNS)
    elif workload.name in SHAPES:
        yield from _delivered_csv(path, None)
    elif workload.name == "w2":
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                yield [row.get(column) or "" for column in IDENTIFIED_COLUMNS]
    elif workload.name == "w3":
        yield from _delivered_parquet(path)
    elif workload.name == "w4":
        for name, columns in CALL_COLUMNS.items():
            for row in _delivered_csv(folder / f"1.{name}.csv", columns):
                yield [name, *(canonical(value) if key in NESTED_COLUMNS else value for key, value in zip(columns, row))]
    elif workload.name == "w5":
        for file in sorted(glob.glob(f"{folder}/**/*.csv", recursive=True)):
            day, client = re.search(r"dt=(\d+)", file)[1], re.search(r"client_id=(\d+)", file)[1]
            yield from ([day, client, *row] for row in _delivered_csv(file, SPLIT_COLUMNS))
    else:
        with zipfile.ZipFile(path) as archive:
            [entry] = archive.namelist()
            # Its checksum is compared as it is read.
            with archive.open(entry) as raw:
                text = io.TextIOWrapper(raw, "utf-8", newline="")
                yield from ([row[column] for column in EVENT_COLUMNS] for row in _csv(text, delimiter=";"))


def _delivered_csv(path, columns):
    """The named columns, or all of them."""
    with _open(path) as lines:
        for row in _csv(lines):
            yield [row[column] for column in columns] if columns else list(row.values())


def _delivered_parquet(path):
    import duckdb

    columns = ", ".join(
        f"strftime({column}, '%Y-%m-%d %H:%M:%S')" if column == "timestamp" else column for column in IDENTIFIED_COLUMNS)
    # Some engines mark no column as text; read as bytes, it is the same.
    reader = duckdb.connect().execute(f"SELECT {columns} FROM read_parquet('{path}', binary_as_string=true)")
    assert [column[1] for column in reader.description][11] in ("DOUBLE", "NUMBER"), "`revenue` is no number"
    while batch := reader.fetchmany(10_000):
        for row in batch:
            yield ["" if value is None else repr(value) if isinstance(value, float) else value for value in row]
