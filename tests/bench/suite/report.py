"""Keeps the samples of every size and writes RESULTS.md and results.svg from them."""

import importlib.metadata
import json
import os
import re
import time
from pathlib import Path

from suite import chart
from suite.engines import ENGINES, OURS
from suite.measure import medians
from suite.workloads import MAIN, WORKLOADS, events_of, rows_of

# What is worth telling of a processor, by the names that the kernel gives.
FEATURES = {"avx2": "AVX2", "avx512bw": "AVX-512BW", "sha_ni": "SHA", "pclmulqdq": "CLMUL", "vaes": "VAES"}

HEAD = """# Results

Written by `tests/bench/run`; [README.md](README.md) tells what each workload is and how to read the figures. Every engine in turn
within each repetition, a fresh process each, inputs in the page cache, medians; every output compared with the reference.
outflow runs its whole delivery: ledger, spool, digests, sealed files, a local target.

![CPU seconds of each engine against the roofline](results.svg)

"""


def keep(home, size, samples):
    """Adds samples to those that are kept of a size; a case measured anew replaces what was there."""
    path, run = _kept(home, size), time.strftime("%Y-%m-%d %H:%M:%S")
    kept = json.loads(path.read_text()) if path.exists() else {}
    for (engine, workload), taken in samples.items():
        case = f"{workload}:{engine}"
        kept.pop(case, None)
        if taken:
            kept[case] = medians(taken) | {"run": run, "input": home.input(WORKLOADS[workload], size).stat().st_size}
    path.write_text(json.dumps(kept, indent=1))


def _kept(home, size):
    return home.root / f"results_{size}.json"


def write(home, folder):
    """Writes the report of all sizes that were measured."""
    folder = Path(folder) if folder else home.suite
    found = {path.stem.removeprefix("results_"): json.loads(path.read_text()) for path in home.root.glob("results_*.json")}
    sizes = sorted((size for size in found if found[size]), key=events_of)
    if not sizes:
        raise SystemExit("nothing was measured yet")
    parts = [HEAD, machine(), "\n"]
    parts += [section(size, found[size]) for size in sizes]
    (folder / "RESULTS.md").write_text("".join(parts), encoding="utf-8")
    drawn = "1m" if "1m" in found else sizes[-1]
    (folder / "results.svg").write_text(chart.draw(drawn, found[drawn]), encoding="utf-8")
    print(f"{folder / 'RESULTS.md'}")


def machine():
    """What the figures were taken on, in words that fit any machine of its kind."""
    flags = set(re.search(r"^flags\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)[1].split())
    memory = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())[1])
    features = ", ".join(name for flag, name in FEATURES.items() if flag in flags)
    versions = ", ".join(f"{title} {_version(package)}" for title, package in
                         [("Polars", "polars"), ("DuckDB", "duckdb"), ("DataFusion", "datafusion"), ("chdb", "chdb")])
    return (f"Machine: {len(os.sched_getaffinity(0))} cores of x86-64 with {features}; {memory / 2**20:.0f} GiB of memory; Linux.\n"
            f"Peers: {versions}.\n")


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def section(size, results):
    """The tables of one size."""
    lines = [f"\n## {events_of(size):,} events\n"]
    measured = [workload for workload in WORKLOADS if any(case.startswith(f"{workload}:") for case in results)]
    lines += [_summary(results, measured)] if any(f"{workload}:outflow" in results for workload in measured) else []
    lines += [_table(WORKLOADS[workload], size, results) for workload in measured]
    return "\n".join(lines)


def figures(results, workload):
    """Engine to figures of one workload, the cheapest first."""
    cases = {case.partition(":")[2]: sample for case, sample in results.items() if case.partition(":")[0] == workload}
    return dict(sorted(cases.items(), key=lambda item: item[1]["cpu"]))


def _ratio(ours, other, key):
    return f"{ours[key] / other[key]:.2f}" if other and other[key] else "–"


def _summary(results, measured):
    """outflow against the roofline and against the best peer, one line a workload."""
    lines = ["### outflow\n",
             "| workload | CPU s | × roofline | at most | × best peer, CPU | × best peer, wall | peak MB |", "|---|--:|--:|--:|--:|--:|--:|"]
    for name in measured:
        cases = figures(results, name)
        ours = cases.get("outflow")
        if not ours:
            continue
        # A plugin is measured against the same work without it.
        base = figures(results, "w1").get("outflow") if name == "w1-plugin" else cases.get("roofline")
        label = "× W1 without it" if name == "w1-plugin" else ""
        if base and base["run"] != ours["run"]:
            label += ", of another run"
        most = {"w1-plugin": 1.5}.get(name, WORKLOADS[name].at_most)
        peers = [sample for engine, sample in cases.items() if engine not in OURS]
        best = {key: min(peers, key=lambda sample: sample[key]) if peers else None for key in ("cpu", "wall")}
        lines.append(f"| {_title(name)} | {ours['cpu']:.2f} | {_ratio(ours, base, 'cpu')} {label} | {most or '–'} | "
                     f"{_ratio(ours, best['cpu'], 'cpu')} | {_ratio(ours, best['wall'], 'wall')} | {ours['peak_mb']:.0f} |")
    return "\n".join(lines) + "\n"


def _title(name):
    return name.upper() if name in MAIN else "W1 with a plugin" if name == "w1-plugin" else name


def _table(workload, size, results):
    """Every engine on one workload."""
    cases = figures(results, workload.name)
    roofline, rows = cases.get("roofline"), rows_of(workload, size)
    lines = [f"### {_title(workload.name)}: {workload.title}\n",
             "| engine | CPU s | wall s | peak MB | rows/s | MB/s | × roofline, CPU |", "|---|--:|--:|--:|--:|--:|--:|"]
    for engine, sample in cases.items():
        title = f"**{ENGINES[engine].title}**" if engine == "outflow" else ENGINES[engine].title
        rate, speed = rows / sample["wall"], sample["input"] / sample["wall"] / 1e6
        lines.append(f"| {title} | {sample['cpu']:.2f} | {sample['wall']:.2f} | {sample['peak_mb']:.0f} | {rate:,.0f} | {speed:,.0f} | "
                     f"{_ratio(sample, roofline, 'cpu')} |")
    if len({sample["run"] for sample in cases.values()}) > 1:
        lines.append("\nThese figures come from several runs; ratios between them are rough.")
    return "\n".join(lines) + "\n"
