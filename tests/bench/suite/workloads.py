"""What is measured: the six workloads, the other shapes, and the plugin in the chain of W1.

Names and columns are here once; the pipelines, the peers, the reference and the tables follow them."""

from dataclasses import dataclass

from suite import shapes

EVENT_COLUMNS = """email timestamp segment_name flow_name action variant operation client_id campaign_id offer_code country revenue
subject properties""".split()

# The columns of W1, W2 and W3 as they go out.
IDENTIFIED_COLUMNS = """identifier timestamp segment_name flow_name action variant operation brand label client_id country revenue
offer_code""".split()

# W4: the columns of each type of call.
CALL_COLUMNS = {
    "identify": ["messageId", "userId", "timestamp", "context", "traits"],
    "group": ["messageId", "userId", "groupId", "timestamp", "context", "traits"],
    "track": ["messageId", "userId", "timestamp", "event", "context", "properties"],
    "page": ["messageId", "userId", "timestamp", "name", "context", "properties"],
    "screen": ["messageId", "userId", "timestamp", "name", "context", "properties"],
    "alias": ["messageId", "userId", "previousId", "timestamp", "context"],
}
ALL_CALL_COLUMNS = "type messageId userId timestamp event name groupId previousId context properties traits".split()
NESTED_COLUMNS = ("context", "properties", "traits")

# W5: what is left in the files once the day and the client are in the path.
SPLIT_COLUMNS = [column for column in EVENT_COLUMNS if column != "client_id"]


@dataclass(frozen=True)
class Workload:
    """One piece of work. The output is the file of that name in the engine's folder, or the folder itself."""

    name: str
    title: str
    kind: str
    suffix: str
    output: str = ""
    # How many times the CPU seconds of the roofline it may take.
    at_most: float | None = None

    def source(self, size):
        """The name of its input."""
        return f"{self.kind}_{size}.{self.suffix}"


WORKLOADS = {
    workload.name: workload
    for workload in [
        Workload("w1", "CSV, hashed, two columns added → CSV", "events", "csv", "data.csv", 2.0),
        Workload("w2", "the same → JSON Lines", "events", "csv", "data.jsonl", 2.0),
        Workload("w3", "the same, typed → Parquet", "events", "csv", "data.parquet", 1.2),
        Workload("w4", "JSON Lines → six CSV files by type", "calls", "jsonl", "", 2.0),
        Workload("w5", "Parquet → 600 CSV files by day and client", "events", "parquet", "", 1.2),
        Workload("w6", "CSV → quoted CSV in a ZIP archive", "events", "csv", "data.zip", 1.3),
        Workload("w1-plugin", "W1 with a transform plugin before the hash", "events", "csv", "data.csv"),
        *(Workload(name, f"W1's job on {title}", name, "csv", "data.csv") for name, title in shapes.TITLES.items()),
    ]
}

MAIN = ["w1", "w2", "w3", "w4", "w5", "w6"]
SHAPES = list(shapes.TITLES)


def events_of(size):
    """How many events `10k`, `1m` or `2500` are."""
    unit = {"k": 1_000, "m": 1_000_000}.get(size[-1].lower())
    return int(size[:-1]) * unit if unit else int(size)


def rows_of(workload, size):
    """How many rows its input has."""
    events = events_of(size)
    return shapes.rows_of(workload.name, events) if workload.name in SHAPES else events
