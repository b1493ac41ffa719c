"""Compares outputs. Up to 100k rows every row with the reference in Python; beyond, by sums of hashes, see `digests`."""

import hashlib
import json

from suite import digests, reference
from suite.measure import Failed
from suite.workloads import SHAPES, events_of

ROW_BY_ROW = 100_000


def fingerprint(rows):
    """How many rows, the sum of their hashes, and a digest that also depends on their order."""
    count, total, order = 0, 0, hashlib.blake2b(digest_size=16)
    for row in rows:
        value = hashlib.blake2b("\x1f".join(row).encode(), digest_size=8).digest()
        count += 1
        total = (total + int.from_bytes(value)) % 2**64
        order.update(value)
    return [count, total, order.hexdigest()]


class Verifier:
    """Knows what must come out of each workload at one size; it is computed once and kept."""

    def __init__(self, home, size):
        self.home, self.size = home, size

    def _by_row(self, workload):
        # The other shapes too: lower case beyond ASCII is not the same in all engines.
        return events_of(self.size) <= ROW_BY_ROW or workload.name in SHAPES

    def check(self, engine, workload, folder):
        """Fails unless the rows are the expected ones, in order if the engine and the workload keep it."""
        wanted, folder = self._expected(workload), folder / engine.below
        if self._by_row(workload):
            found = fingerprint(reference.delivered(workload, folder))
        else:
            try:
                found = digests.delivered(workload, folder, self.home.root)
            except digests.Unreadable as fault:
                raise Failed(f"what was written cannot be read: {str(fault).strip().splitlines()[0]}") from fault
        if found[:2] != wanted[:2]:
            raise Failed(f"other rows than the reference: {found[0]:,} with sum {found[1]}, not {wanted[0]:,} with {wanted[1]}")
        # Of W4 every file has its order, of W5 none has; neither is compared.
        ordered = workload.name not in ("w4", "w5", *engine.unordered)
        if ordered and found[2] != wanted[2]:
            raise Failed("the rows are right, their order is not")

    def _expected(self, workload):
        source = self.home.data / workload.source(self.size)
        kept = self.home.root / "expected" / f"{workload.name}_{self.size}_{source.stat().st_size}.json"
        if not kept.exists():
            if self._by_row(workload):
                wanted = fingerprint(reference.expected(workload, self.home.data, self.size))
            else:
                wanted = digests.expected(workload, source, self.home.root)
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(json.dumps(wanted))
        return json.loads(kept.read_text())
