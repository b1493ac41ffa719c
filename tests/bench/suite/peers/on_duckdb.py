"""DuckDB. `duckdb-unordered` gives up the order of rows, which it pays dearly for; `duckdb-passes` reads the calls of W4 once a
file in place of keeping them in a table."""

import duckdb

from suite.workloads import ALL_CALL_COLUMNS, CALL_COLUMNS, EVENT_COLUMNS, NESTED_COLUMNS


def events(source):
    columns = ",".join(f"'{column}':'VARCHAR'" for column in EVENT_COLUMNS)
    return f"""read_csv('{source}', header=true, delim=',', quote='"', escape='"', auto_detect=false, columns={{{columns}}})"""


def identified(source, timestamp="timestamp", revenue="revenue"):
    return f"""SELECT sha256(lower(trim(email))) AS identifier, {timestamp}, segment_name, flow_name, action, variant, operation,
        'acme' AS brand, flow_name||'/'||coalesce(variant,'none')||'/'||action AS label, client_id, country, {revenue}, offer_code
        FROM {events(source)}"""


def calls(source):
    kinds = {column: "JSON" if column in NESTED_COLUMNS else "VARCHAR" for column in ALL_CALL_COLUMNS}
    columns = ",".join(f"'{column}':'{kind}'" for column, kind in kinds.items())
    return f"SELECT * FROM read_json('{source}', format='newline_delimited', columns={{{columns}}})"


def copies(job, source, output, engine):
    """The queries of a job, each with the file that it goes to and how."""
    if job == "w1":
        return [(identified(source), output, "FORMAT csv, HEADER true")]
    if job == "w2":
        return [(identified(source), output, "FORMAT json")]
    if job == "w3":
        typed = identified(source, "timestamp::TIMESTAMP AS timestamp", "revenue::DOUBLE AS revenue")
        return [(typed, output, "FORMAT parquet, COMPRESSION zstd")]
    if job == "w4":
        rows = calls(source) if engine == "duckdb-passes" else "SELECT * FROM calls"
        return [
            (f"""SELECT {','.join(f'"{column}"' for column in columns)} FROM ({rows}) WHERE type='{name}'""",
             f"{output}/1.{name}.csv", "FORMAT csv, HEADER true")
            for name, columns in CALL_COLUMNS.items()
        ]
    if job == "w5":
        split = "FORMAT csv, HEADER true, PARTITION_BY (dt, client_id), OVERWRITE_OR_IGNORE"
        return [(f"SELECT * FROM read_parquet('{source}')", output, split)]
    if job == "w6":
        return [(f"SELECT * FROM {events(source)}", output, "FORMAT csv, HEADER true, DELIM ';', FORCE_QUOTE *")]
    rows = f"""read_csv('{source}', header=true, delim=',', quote='"', escape='"', all_varchar=true, max_line_size=4194304)"""
    query = f"""SELECT * REPLACE (sha256(lower(trim(email))) AS email), 'acme' AS brand,
                kind||'/'||coalesce(variant,'none') AS label FROM {rows}"""
    return [(query, output, "FORMAT csv, HEADER true")]


def run(job, source, output, engine):
    connection = duckdb.connect()
    connection.execute("SET threads=2")
    if engine == "duckdb-unordered":
        connection.execute("SET preserve_insertion_order=false")
    if job == "w4" and engine != "duckdb-passes":
        connection.execute(f"CREATE TEMP TABLE calls AS {calls(source)}")
    for query, file, options in copies(job, source, output, engine):
        connection.execute(f"COPY ({query}) TO '{file}' ({options})")
