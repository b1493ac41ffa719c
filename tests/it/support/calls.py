"""Reads Customer.io files with other people's readers and compares with the calls: folder, format, calls.

Prints nothing when all is well.
"""

import csv
import json
import re
import sys

COMMON = [("id", "messageId"), ("anonymous_id", "anonymousId"), ("user_id", "userId"), ("context", "context"),
          ("original_timestamp", "originalTimestamp"), ("sent_at", "sentAt"), ("received_at", "receivedAt"),
          ("timestamp", "timestamp")]
OWN = {
    "identify": [("traits", "traits")],
    "group": [("group_id", "groupId"), ("traits", "traits")],
    "track": [("event", None), ("event_text", "event"), ("properties", "properties")],
    "page": [("name", "name"), ("category", "category"), ("properties", "properties")],
    "screen": [("name", "name"), ("properties", "properties")],
    "alias": [("previous_id", "previousId")],
}
OBJECTS = ("context", "traits", "properties")


def columns(call_type):
    return [c for c in COMMON if call_type != "alias" or c[0] != "anonymous_id"] + OWN[call_type]


def expected(call, call_type):
    slug = re.sub(r"\W+", "_", call.get("event") or "").strip("_").lower()
    return {name: slug if source is None else call.get(source) for name, source in columns(call_type)}


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def objects_of_text(rows):
    for row in rows:
        for name in OBJECTS:
            if row.get(name) is not None:
                text = row[name]
                row[name] = json.loads(text)
                compact = lambda **style: json.dumps(row[name], separators=(",", ":"), **style)
                assert text in (compact(), compact(ensure_ascii=False)), text
    return rows


def read_csv(path):
    import duckdb

    with open(path, encoding="utf-8", newline="") as file:
        # A null cell is empty and an empty text is quoted; the csv module sees no difference, DuckDB does.
        plain = list(csv.DictReader(file, strict=True))
    table = duckdb.sql(f"SELECT * FROM read_csv('{path}', all_varchar=true, header=true, force_not_null=[], "
                       "allow_quoted_nulls=false, quote='\"', escape='\"', delim=',')")
    rows = [dict(zip(table.columns, row)) for row in table.fetchall()]
    assert [{k: v or "" for k, v in row.items()} for row in rows] == plain
    return objects_of_text(rows)


def read_parquet(path):
    import duckdb
    import pyarrow.parquet

    rows = pyarrow.parquet.read_table(path).to_pylist()
    table = duckdb.sql(f"SELECT * FROM read_parquet('{path}')")
    assert set(map(str, table.types)) == {"VARCHAR"}, table.types
    assert [dict(zip(table.columns, row)) for row in table.fetchall()] == rows
    return objects_of_text(rows)


def main(folder, kind, calls):
    calls = read_json(calls)
    reader = {"json": read_json, "csv": read_csv, "parquet": read_parquet}[kind]
    for call_type in OWN:
        found = reader(f"{folder}/2184.13699.1.{call_type}.{kind}")
        wanted = [expected(call, call_type) for call in calls if call.get("type") == call_type]
        assert len(wanted) > 5, call_type
        assert [list(row) for row in found] == [list(row) for row in wanted], call_type
        for one, other in zip(found, wanted):
            assert one == other, (one, other)
        assert len(found) == len(wanted)


main(*sys.argv[1:])
