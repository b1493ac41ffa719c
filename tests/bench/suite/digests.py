"""Comparison of outputs too large to walk in Python: DuckDB counts rows and sums their hashes, of an output and of what its own SQL
makes of the input. At 100k rows the reference has shown that SQL to be right.

Of W4 the nested columns are left out, for engines write equal JSON differently; those too are compared at 100k."""

import zipfile

import duckdb

from suite.peers import on_duckdb
from suite.workloads import CALL_COLUMNS, EVENT_COLUMNS, IDENTIFIED_COLUMNS, SPLIT_COLUMNS

# What DuckDB says of a file that does not hold what it should.
Unreadable = duckdb.Error

SCALAR_CALL_COLUMNS = ["type", "messageId", "userId", "timestamp", "event", "name", "groupId", "previousId"]
WRAP = 2**64


def expected(workload, source, scratch):
    """Count, sum and ordered sum of the rows that must come out."""
    if workload.name == "w4":
        query = on_duckdb.calls(source)
    elif workload.name == "w5":
        query = f"SELECT * FROM read_parquet('{source}')"
    else:
        [(query, _, _)] = on_duckdb.copies(workload.name.removesuffix("-plugin"), source, "", "duckdb")
    return _sums(workload, query, scratch)


def delivered(workload, folder, scratch):
    """The same of the rows that an engine wrote."""
    if workload.name != "w6":
        return _sums(workload, _output(workload, folder), scratch)
    # DuckDB reads no archives.
    with zipfile.ZipFile(folder / workload.output) as archive:
        [entry] = archive.namelist()
        archive.extract(entry, folder)
    path = folder / entry
    try:
        return _sums(workload, _text(path, ";"), scratch)
    finally:
        path.unlink()


def _text(path, delimiter=",", more=""):
    return f"""SELECT * FROM read_csv('{path}', header=true, delim='{delimiter}', quote='"', escape='"', auto_detect=false,
               all_varchar=true, max_line_size=4194304, {_columns_of(path, delimiter)}{more})"""


def _columns_of(path, delimiter):
    with open(path, encoding="utf-8") as lines:
        names = next(lines).rstrip("\r\n").split(delimiter)
    names = [name.strip('"') for name in names]
    return "columns={" + ",".join(f"'{name}':'VARCHAR'" for name in names) + "}"


def _output(workload, folder):
    path = folder / workload.output
    if workload.name == "w2":
        columns = ",".join(f"'{column}':'VARCHAR'" for column in IDENTIFIED_COLUMNS)
        return f"SELECT * FROM read_json('{path}', format='newline_delimited', columns={{{columns}}})"
    if workload.name == "w3":
        return f"SELECT * FROM read_parquet('{path}', binary_as_string=true)"
    if workload.name == "w4":
        parts = [f"SELECT '{name}' AS type, * FROM ({_text(folder / f'1.{name}.csv')})" for name in CALL_COLUMNS]
        return " UNION ALL BY NAME ".join(parts)
    if workload.name == "w5":
        # ClickHouse leaves the columns that it splits by in its files, behind the others.
        names = _columns_of(next(folder.rglob("*.csv")), ",")
        return f"""SELECT {", ".join(SPLIT_COLUMNS)}, regexp_extract(filename, 'dt=(\\d+)', 1) AS dt,
            regexp_extract(filename, 'client_id=(\\d+)', 1) AS client_id
            FROM read_csv('{folder}/**/*.csv', header=true, delim=',', quote='"', escape='"', auto_detect=false,
                          {names}, filename=true, hive_partitioning=false)"""
    return _text(path)


def _columns(workload):
    """SQL of the values that count, as text."""
    named = {"w4": SCALAR_CALL_COLUMNS, "w5": ["dt", "client_id", *SPLIT_COLUMNS], "w6": EVENT_COLUMNS}
    columns = [f'"{column}"::VARCHAR' for column in named.get(workload.name, IDENTIFIED_COLUMNS)]
    if workload.name == "w3":
        columns[1] = "\"timestamp\"::TIMESTAMP::VARCHAR"
    return ", ".join(columns)


def _sums(workload, query, scratch):
    connection = duckdb.connect()
    connection.execute(f"SET temp_directory='{scratch}/spill'; SET memory_limit='8GB'; SET threads=2; SET TimeZone='UTC'")
    # Null and empty text are one in CSV. Rows are numbered, so that the second sum tells one order from another.
    found = connection.execute(f"""
        SELECT count(*), sum(value::HUGEINT) % {WRAP}, sum(hash(value, number)::HUGEINT) % {WRAP}
        FROM (SELECT hash(texts) AS value, row_number() OVER () AS number
              FROM (SELECT list_transform([{_columns(workload)}], lambda text: coalesce(text, '')) AS texts FROM ({query})))
    """).fetchone()
    return [int(value or 0) for value in found]
