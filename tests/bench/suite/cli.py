"""The command line: what is asked for, and in which order it is done."""

import argparse
import json
import os
import shutil

from suite.home import OWN_PACKAGES, Home, say
from suite.workloads import MAIN, SHAPES, WORKLOADS


def main(suite, root):
    arguments = _parse()
    # Everything below runs with the suite's folder as the place modules are found in.
    os.environ["PYTHONPATH"] = str(suite)
    home = Home(suite, root)
    home.install(OWN_PACKAGES)
    if arguments.check:
        return check(home, arguments)
    return {"measure": measure, "generate": generate, "count": count, "report": report}[arguments.command](home, arguments)


def _parse():
    parser = argparse.ArgumentParser(prog="run", description="Measures outflow against other engines and the roofline programs.")
    parser.add_argument("command", nargs="?", default="measure", choices=["measure", "generate", "count", "report"],
                        help="measure (the default); generate inputs and build only; count instructions; write the report again")
    parser.add_argument("--size", default="1m", help="events of the inputs: 100k, 1m, 10m or any number (default 1m)")
    parser.add_argument("--reps", type=int, default=5, metavar="N", help="repetitions, of which the median counts (default 5)")
    parser.add_argument("--workloads", default="main", metavar="W,…",
                        help=f"main, shapes, all, or of: {' '.join(WORKLOADS)} (default main, {','.join(MAIN)})")
    parser.add_argument("--engines", default="all", metavar="E,…", help="all, or of those that README.md lists (default all)")
    parser.add_argument("--outflow", metavar="PATH", help="binary to measure (default: this repository's release, built if missing)")
    parser.add_argument("--impatient", action="store_true", help="do not wait for an idle machine before each run")
    parser.add_argument("--results", metavar="DIR", help="where RESULTS.md and results.svg go (default: beside the command)")
    parser.add_argument("--check", action="store_true", help="outflow alone on 10k rows against the reference: seconds, no figures")
    return parser.parse_args()


def _workloads(arguments):
    groups = {"main": MAIN, "shapes": SHAPES, "all": list(WORKLOADS)}
    names = groups.get(arguments.workloads) or arguments.workloads.split(",")
    unknown = [name for name in names if name not in WORKLOADS]
    if unknown:
        raise SystemExit(f"no workload is called {', '.join(unknown)}; there are: {' '.join(WORKLOADS)}")
    return [WORKLOADS[name] for name in names]


def _engines(arguments):
    from suite.engines import ENGINES

    names = list(ENGINES) if arguments.engines == "all" else arguments.engines.split(",")
    unknown = [name for name in names if name not in ENGINES]
    if unknown:
        raise SystemExit(f"no engine is called {', '.join(unknown)}; there are: {' '.join(ENGINES)}")
    return [ENGINES[name] for name in names]


def generate(home, arguments):
    """Makes inputs and builds the roofline programs."""
    home.roofline()
    for workload in _workloads(arguments):
        say(f"{workload.name}: {home.input(workload, arguments.size)}")
    return 0


def measure(home, arguments):
    """Measures, compares, keeps the samples and writes the report."""
    from suite import measure as measuring
    from suite import report as reporting
    from suite.engines import Commands
    from suite.verify import Verifier

    workloads, engines = _workloads(arguments), _engines(arguments)
    commands = Commands(home, [engine.name for engine in engines], [workload.name for workload in workloads], arguments.outflow)
    meter = home.roofline() / "meter"
    verifier = Verifier(home, arguments.size)
    by_name = {engine.name: engine for engine in engines}
    cases = {}
    for workload in workloads:
        for engine in engines:
            if engine.can(workload, arguments.size):
                source = home.input(workload, arguments.size)
                cases[engine.name, workload.name] = (source, _command(commands, engine, workload, source))

    def check_output(case, folder):
        verifier.check(by_name[case[0]], WORKLOADS[case[1]], folder)

    samples = measuring.in_turn(cases, arguments.reps, meter, home, check_output, patient=not arguments.impatient)
    reporting.keep(home, arguments.size, samples)
    reporting.write(home, arguments.results)
    return 1 if None in samples.values() else 0


def _command(commands, engine, workload, source):
    return lambda folder: commands.of(engine, workload, source, folder)


def check(home, arguments):
    """Delivers every workload with outflow at 10k rows and compares each row."""
    import subprocess

    from suite.engines import ENGINES, Commands
    from suite.measure import Failed
    from suite.verify import Verifier

    engine, size = ENGINES["outflow"], "10k"
    workloads = [WORKLOADS[name] for name in [*MAIN, *SHAPES]]
    commands = Commands(home, ["outflow"], [], arguments.outflow)
    verifier, faults = Verifier(home, size), []
    for workload in workloads:
        source, folder = home.input(workload, size), home.fresh(f"check_{os.getpid()}_{workload.name}")
        try:
            done = subprocess.run(commands.of(engine, workload, source, folder), capture_output=True, text=True)
            if done.returncode:
                raise Failed((done.stderr + done.stdout).strip())
            verifier.check(engine, workload, folder)
            print(f"{workload.name}: the rows are those of the reference")
        except Failed as fault:
            faults.append(workload.name)
            print(f"{workload.name}: {fault}")
        for left in (folder, folder.parent / f"{folder.name}.state"):
            shutil.rmtree(left, ignore_errors=True)
    return 1 if faults else 0


def count(home, arguments):
    """Prints instructions a row."""
    from suite import callgrind

    print(json.dumps(callgrind.count(home, arguments.outflow), indent=2))
    return 0


def report(home, arguments):
    """Writes the report from the samples that are kept."""
    from suite import report as reporting

    reporting.write(home, arguments.results)
    return 0
