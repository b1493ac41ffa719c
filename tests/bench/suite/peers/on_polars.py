"""Polars, lazily and streaming, with its extension for digests."""

import os

os.environ["POLARS_MAX_THREADS"] = "2"

import polars  # noqa: E402 - the number of threads is read when it is imported

from suite.workloads import ALL_CALL_COLUMNS, CALL_COLUMNS, EVENT_COLUMNS  # noqa: E402


def _hashed(column):
    import polars_hash

    return polars_hash.col(column).str.strip_chars(" ").str.to_lowercase().chash.sha2_256()


def _events(source):
    return polars.scan_csv(source, schema={column: polars.String for column in EVENT_COLUMNS})


def _identified(source, typed=False):
    col = polars.col
    timestamp = col("timestamp").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us") if typed else col("timestamp")
    revenue = col("revenue").cast(polars.Float64) if typed else col("revenue")
    label = polars.format("{}/{}/{}", "flow_name", col("variant").fill_null("none"), "action")
    return _events(source).select(
        _hashed("email").alias("identifier"), timestamp, "segment_name", "flow_name", "action", "variant", "operation",
        polars.lit("acme").alias("brand"), label.alias("label"), "client_id", "country", revenue, "offer_code")


def _split_calls(source, output):
    calls = polars.scan_ndjson(source, schema={column: polars.String for column in ALL_CALL_COLUMNS})
    sinks = [
        calls.filter(polars.col("type") == name).select(columns).sink_csv(f"{output}/1.{name}.csv", lazy=True)
        for name, columns in CALL_COLUMNS.items()
    ]
    polars.collect_all(sinks, engine="streaming")


def run(job, source, output, engine):
    if job == "w1":
        _identified(source).sink_csv(output, engine="streaming")
    elif job == "w2":
        _identified(source).sink_ndjson(output, engine="streaming")
    elif job == "w3":
        _identified(source, typed=True).sink_parquet(output, compression="zstd", compression_level=3, engine="streaming")
    elif job == "w4":
        _split_calls(source, output)
    elif job == "w5":
        split = polars.PartitionBy(output, key=["dt", "client_id"], include_key=False)
        polars.scan_parquet(source).sink_csv(split, datetime_format="%Y-%m-%d %H:%M:%S", mkdir=True, engine="streaming")
    elif job == "w6":
        _events(source).sink_csv(output, separator=";", quote_style="always", engine="streaming")
    else:
        rows = polars.scan_csv(source, infer_schema=False)
        label = polars.format("{}/{}", "kind", polars.col("variant").fill_null("none"))
        added = [polars.lit("acme").alias("brand"), label.alias("label")]
        rows.with_columns(_hashed("email").alias("email"), *added).sink_csv(output, engine="streaming")
