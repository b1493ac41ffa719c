"""The engines, what each can do, and the command that does it in a fresh process."""

import hashlib
import shlex
import sys
from dataclasses import dataclass

from suite.home import PEER_PACKAGES
from suite.workloads import MAIN, SHAPES, events_of

# The instant of every delivery. Its names have it in them, as they must have something that changes.
AT = "2026-09-01T00:00:00Z"

# Piped into by engines that write no archives; it compresses on as many threads as the others have.
PIGZ = "pigz --zip --processes 2 -6"


@dataclass(frozen=True)
class Engine:
    """A program, and the workloads that it is measured on. Beyond `limits`, a workload does not fit into memory."""

    name: str
    title: str
    workloads: tuple
    limits: dict
    # Where rows do not stay in the order of the input, though the workload has one.
    unordered: tuple = ()
    # Where in its folder the output is.
    below: str = ""

    def can(self, workload, size):
        limit = self.limits.get(workload.name)
        return workload.name in self.workloads and (limit is None or events_of(size) <= events_of(limit))


def _engine(name, title, workloads, limits=None, unordered=(), below=""):
    return Engine(name, title, tuple(workloads), limits or {}, tuple(unordered), below)


ENGINES = {
    engine.name: engine
    for engine in [
        _engine("outflow", "outflow", [*MAIN, "w1-plugin", *SHAPES], below="20260901000000"),
        _engine("roofline", "roofline", [*MAIN, *SHAPES]),
        _engine("polars", "Polars", [*MAIN, *SHAPES], {"w4": "2m"}),
        # Its lower case is letter by letter, and a sigma that ends a word is another letter.
        _engine("duckdb", "DuckDB", [*MAIN, "long", "wide", "sparse", "tiny"], {"w4": "2m"}),
        _engine("duckdb-unordered", "DuckDB, order not kept", ["w1", "w2", "w3"], unordered=["w1", "w2", "w3"]),
        _engine("duckdb-passes", "DuckDB, six passes", ["w4"]),
        _engine("datafusion", "DataFusion", ["w1", "w2", "w3", "w5", "w6"], unordered=["w1", "w2", "w3", "w6"]),
        _engine("clickhouse", "ClickHouse", MAIN, {"w4": "2m"}, unordered=["w1", "w2", "w3", "w6"]),
    ]
}
# Not other people's work.
OURS = ("outflow", "roofline")


class Commands:
    """Builds command lines, once what they need is there."""

    def __init__(self, home, engines, workloads, outflow):
        self.home = home
        self.binary = home.outflow(outflow) if "outflow" in engines else None
        self.programs = home.roofline() if "roofline" in engines else None
        if set(engines) - set(OURS):
            home.install(PEER_PACKAGES)
            home.install_tool("pigz")
        if "outflow" in engines and "w1-plugin" in workloads:
            self.component = home.plugin()

    def of(self, engine, workload, source, folder):
        """The command of an engine; its output goes below `folder`, everything else beside it."""
        output = folder / workload.output
        if engine.name == "outflow":
            return self._outflow(workload, source, folder)
        if engine.name == "roofline":
            job = "shape" if workload.name in SHAPES else workload.name
            return [str(self.programs / "roofline"), job, str(source), str(output)]
        peer = [sys.executable, "-m", "suite.peers", engine.name, workload.name, str(source)]
        if workload.name == "w6":
            return self._zipped(engine, peer, folder, output)
        return [*peer, str(output)]

    def _outflow(self, workload, source, folder):
        pipeline = "shape" if workload.name in SHAPES else workload.name
        parameters = {"input": source}
        if workload.name == "w1-plugin":
            digest = hashlib.sha256(self.component.read_bytes()).hexdigest()
            parameters |= {"component": self.component, "sha256": digest}
        named = [word for name, value in parameters.items() for word in ("--param", f"{name}={value}")]
        state = self.home.fresh(f"{folder.name}.state")
        return [str(self.binary), "run", str(self.home.suite / "pipelines" / f"{pipeline}.yaml"), *named,
                "--sink", f"local:{folder}", "--state", str(state), "--at", AT, "--progress", "none"]

    @staticmethod
    def _zipped(engine, peer, folder, output):
        """Through a pipe where the engine can write to one, else by a file in between."""
        command = shlex.join(peer)
        target = shlex.quote(str(output))
        if engine.name in ("duckdb", "polars"):
            script = f"set -o pipefail; {command} /dev/stdout | {PIGZ} > {target}"
        else:
            between = shlex.quote(str(folder / "between.csv"))
            script = f"set -e; {command} {between}; {PIGZ} < {between} > {target}; rm {between}"
        return ["bash", "-c", script]
