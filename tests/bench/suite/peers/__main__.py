"""One workload by one engine in this process: `python -m suite.peers ENGINE WORKLOAD INPUT OUTPUT`."""

import importlib
import sys

from suite.workloads import SHAPES, WORKLOADS


def main(engine, workload, source, output):
    module = importlib.import_module(f"suite.peers.on_{engine.partition('-')[0]}")
    job = "shape" if workload in SHAPES else workload
    module.run(job, source, output, engine)


if __name__ == "__main__":
    engine, workload, source, output = sys.argv[1:]
    assert workload in WORKLOADS
    main(engine, workload, source, output)
