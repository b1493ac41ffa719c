"""Instructions a row by valgrind: a figure that is the same on a busy machine and on an idle one.

The emulated processor has AVX2 and CLMUL but neither AVX-512 nor the SHA extensions. Code that asks the processor what it can do, as
outflow's does, takes another path there; the roofline programs are built for that processor. So the counts compare with
each other and with those of another day, not with seconds on the real processor. Threads run one at a time."""

import os
import re
import subprocess

from suite.home import EMULATED, say
from suite.measure import Failed
from suite.engines import ENGINES, Commands
from suite.verify import Verifier
from suite.workloads import WORKLOADS, rows_of

SIZE = "100k"
COUNTED = ["w1", "w4"]


def count(home, outflow):
    """Workload to engine to instructions a row."""
    home.install_tool("valgrind")
    commands = Commands(home, ["outflow"], [], outflow)
    commands.programs = home.roofline(EMULATED)
    verifier = Verifier(home, SIZE)
    found = {}
    for name in COUNTED:
        workload = WORKLOADS[name]
        source = home.input(workload, SIZE)
        for engine in ("outflow", "roofline"):
            folder = home.fresh(f"count_{engine}_{name}")
            total = _instructions(commands.of(ENGINES[engine], workload, source, folder), home)
            verifier.check(ENGINES[engine], workload, folder)
            found.setdefault(name, {})[engine] = round(total / rows_of(workload, SIZE))
            say(f"{name} {engine}: {found[name][engine]:,} instructions a row")
    return found


def _instructions(command, home):
    profile = home.out / f"callgrind.{os.getpid()}"
    # Plugins are compiled while the program runs, so code is not where it was when valgrind first saw it.
    valgrind = ["valgrind", "--tool=callgrind", "--smc-check=all-non-file", f"--callgrind-out-file={profile}"]
    done = subprocess.run([*valgrind, *command], capture_output=True, text=True)
    if done.returncode:
        raise Failed(done.stderr[-600:])
    total = re.search(r"^(?:summary|totals): (\d+)", profile.read_text(), re.M)
    profile.unlink()
    return int(total[1])
