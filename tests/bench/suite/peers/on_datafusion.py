"""DataFusion as it comes, on two partitions: the order of rows is lost. W4 is beyond it, for it cannot read an object as text."""

import datafusion

from suite.workloads import EVENT_COLUMNS


def _context():
    return datafusion.SessionContext(datafusion.SessionConfig({
        "datafusion.execution.target_partitions": "2",
        "datafusion.execution.parquet.compression": "zstd(3)",
        "datafusion.execution.parquet.schema_force_view_types": "true",
    }))


def _identified(timestamp='"timestamp"', revenue="revenue"):
    return f"""SELECT encode(sha256(lower(btrim(email))),'hex') AS identifier, {timestamp}, segment_name, flow_name, action, variant,
        operation, 'acme' AS brand, concat(flow_name,'/',coalesce(nullif(variant,''),'none'),'/',action) AS label, client_id, country,
        {revenue}, offer_code FROM events"""


def _statement(job, output):
    if job == "w1":
        return f"COPY ({_identified()}) TO '{output}' STORED AS CSV OPTIONS ('format.has_header' 'true')"
    if job == "w2":
        return f"COPY ({_identified()}) TO '{output}' STORED AS JSON"
    if job == "w3":
        timestamp = """arrow_cast("timestamp", 'Timestamp(Microsecond, None)') AS "timestamp\""""
        typed = _identified(timestamp, "CAST(revenue AS DOUBLE) AS revenue")
        return f"COPY ({typed}) TO '{output}' STORED AS PARQUET OPTIONS ('format.compression' 'zstd(3)')"
    if job == "w5":
        return f"""COPY (SELECT * FROM events) TO '{output}/' STORED AS CSV PARTITIONED BY (dt, client_id)
                   OPTIONS ('format.has_header' 'true', 'format.timestamp_format' '%Y-%m-%d %H:%M:%S')"""
    return f"""COPY (SELECT * FROM events) TO '{output}' STORED AS CSV
               OPTIONS ('format.has_header' 'true', 'format.delimiter' ';', 'format.quote_style' 'Always')"""


def run(job, source, output, engine):
    context = _context()
    if job == "w5":
        context.register_parquet("events", source)
    else:
        columns = ",".join(f"{column} VARCHAR" for column in EVENT_COLUMNS)
        context.sql(f"""CREATE EXTERNAL TABLE events ({columns}) STORED AS CSV LOCATION '{source}'
                        OPTIONS ('format.has_header' 'true', 'format.newlines_in_values' 'false')""")
    context.sql(_statement(job, output)).collect()
