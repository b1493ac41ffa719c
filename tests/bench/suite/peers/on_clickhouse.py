"""ClickHouse as a library (chdb). It cannot split one reading into several files, so W4 goes through a table in memory."""

import chdb
from chdb import session

from suite.workloads import ALL_CALL_COLUMNS, CALL_COLUMNS, EVENT_COLUMNS, IDENTIFIED_COLUMNS, SPLIT_COLUMNS

SETTINGS = """SETTINGS max_threads=2, max_parsing_threads=2, output_format_parallel_formatting=1, input_format_parallel_parsing=1,
    engine_file_truncate_on_insert=1, input_format_csv_trim_whitespaces=0, output_format_decimal_trailing_zeros=1"""
EVENTS = ", ".join(f"{column} String" for column in EVENT_COLUMNS)


def _identified(source, timestamp="timestamp", revenue="revenue"):
    return f"""SELECT lower(hex(SHA256(lower(trimBoth(email))))) AS identifier, {timestamp}, segment_name, flow_name, action,
        nullIf(variant,'') AS variant_, operation, 'acme' AS brand,
        concat(flow_name,'/',if(variant='','none',variant),'/',action) AS label, client_id, country, {revenue}, offer_code
        FROM file('{source}', 'CSVWithNames', '{EVENTS}')"""


def _target(**types):
    types = {"variant": "Nullable(String)"} | types
    return ", ".join(f"{column} {types.get(column, 'String')}" for column in IDENTIFIED_COLUMNS)


def _split_calls(source, output):
    columns = ", ".join(f"{column} String" for column in ALL_CALL_COLUMNS)
    work = session.Session()
    work.query("CREATE DATABASE IF NOT EXISTS bench")
    work.query(f"CREATE TABLE bench.calls ({columns}) ENGINE=Memory")
    work.query(f"""INSERT INTO bench.calls SELECT * FROM file('{source}', 'JSONEachRow', '{columns}')
                   {SETTINGS}, input_format_json_read_objects_as_strings=1""")
    for name, kept in CALL_COLUMNS.items():
        target = ", ".join(f"{column} String" for column in kept)
        work.query(f"""INSERT INTO FUNCTION file('{output}/1.{name}.csv', 'CSVWithNames', '{target}')
                       SELECT {','.join(kept)} FROM bench.calls WHERE type='{name}' {SETTINGS}""")


def _split_events(source, output):
    target = ", ".join(f"{column} {'Decimal(10,2)' if column == 'revenue' else 'String'}" for column in SPLIT_COLUMNS)
    written = {"timestamp": "formatDateTime(timestamp, '%Y-%m-%d %H:%i:%S')", "variant": "ifNull(variant, '')",
               "campaign_id": "toString(campaign_id)"}
    values = ", ".join(written.get(column, column) for column in SPLIT_COLUMNS)
    chdb.query(f"""INSERT INTO FUNCTION file('{output}/{{_partition_id}}.csv', 'CSVWithNames', '{target}, dt String, client_id String')
        PARTITION BY concat('dt=', dt, '_client_id=', client_id)
        SELECT {values}, dt, client_id FROM file('{source}', 'Parquet') {SETTINGS}, max_partitions_per_insert_block=0""")


def _quote_all(source, output):
    work = session.Session()
    work.query("CREATE DATABASE IF NOT EXISTS bench")
    work.query(f"""CREATE TABLE bench.events ({EVENTS}) ENGINE=File('CSVWithNames', '{source}')
                   SETTINGS format_csv_delimiter=',', input_format_csv_trim_whitespaces=0""")
    work.query(f"""INSERT INTO FUNCTION file('{output}', 'CSVWithNames', '{EVENTS}')
                   SELECT * FROM bench.events {SETTINGS}, format_csv_delimiter=';'""")


def run(job, source, output, engine):
    def insert(form, target, query, more):
        chdb.query(f"INSERT INTO FUNCTION file('{output}', '{form}', '{target}') {query} {SETTINGS}, {more}")

    if job == "w1":
        insert("CSVWithNames", _target(), _identified(source), "format_csv_null_representation=''")
    elif job == "w2":
        insert("JSONEachRow", _target(), _identified(source), "output_format_json_escape_forward_slashes=0")
    elif job == "w3":
        typed = _identified(source, "toDateTime64(timestamp, 6) AS timestamp", "toFloat64(revenue) AS revenue")
        target = _target(timestamp="DateTime64(6)", revenue="Float64")
        insert("Parquet", target, typed, "output_format_parquet_compression_method='zstd'")
    elif job == "w4":
        _split_calls(source, output)
    elif job == "w5":
        _split_events(source, output)
    else:
        _quote_all(source, output)
