"""Where the suite keeps what it made and installed, and how it gets there: packages, roofline programs, inputs, the binary."""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from suite.workloads import rows_of

# What the suite itself reads and writes data with, and what it compares outflow with.
OWN_PACKAGES = {"duckdb": "duckdb"}
PEER_PACKAGES = {"polars": "polars", "polars_hash": "polars-hash", "datafusion": "datafusion", "chdb": "chdb", "pyarrow": "pyarrow"}

# As fast as this machine can, and as the emulated processor of valgrind can.
NATIVE = "-C target-cpu=native"
EMULATED = "-C target-cpu=x86-64-v3 -C target-feature=+pclmulqdq"


def say(text):
    """Progress goes to standard error; standard output is for results."""
    print(text, file=sys.stderr, flush=True)


class Home:
    """The suite's folder, by default in the user's cache."""

    def __init__(self, suite, root):
        self.suite, self.root = suite, root
        self.repository = suite.parent.parent
        self.data, self.out = root / "data", root / "out"
        self.discarded = self.out / "discarded"
        self.data.mkdir(parents=True, exist_ok=True)
        self.out.mkdir(parents=True, exist_ok=True)

    # Packages

    def install(self, packages):
        """Installs what is missing into the suite's environment."""
        missing = [package for module, package in packages.items() if importlib.util.find_spec(module) is None]
        if missing:
            say(f"installing {' '.join(missing)}")
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *missing]
            subprocess.run(pip, check=True, stdout=sys.stderr)
            importlib.invalidate_caches()

    def install_tool(self, tool):
        """Installs a program by the system's package manager where it is missing."""
        if shutil.which(tool) is None:
            say(f"installing {tool}")
            root = [] if os.geteuid() == 0 else ["sudo"]
            subprocess.run([*root, "apt-get", "install", "-q", "-y", tool], check=True, stdout=sys.stderr)

    # Programs

    def roofline(self, flags=NATIVE):
        """Builds the roofline programs for a processor and returns their folder."""
        target = self.root / ("target" if flags == NATIVE else "target-emulated")
        environment = dict(os.environ, RUSTFLAGS=flags, CARGO_TARGET_DIR=str(target))
        build = ["cargo", "build", "--release", "--locked", "--quiet"]
        subprocess.run(build, check=True, cwd=self.suite / "roofline", env=environment)
        return target / "release"

    def outflow(self, path):
        """The binary to measure: the one that is named, or this repository's release, built if need be."""
        if path:
            return Path(path).resolve(strict=True)
        target = Path(os.environ.get("CARGO_TARGET_DIR", self.repository / "target"))
        binary = target / "release" / "outflow"
        if not binary.exists():
            say("building outflow; this takes minutes")
            build = ["cargo", "build", "--release", "--package", "outflow"]
            subprocess.run(build, check=True, cwd=self.repository, env=dict(os.environ, CARGO_TARGET_DIR=str(target)))
        return binary

    def plugin(self):
        """Builds the example of a transform and returns the component."""
        target = self.root / "target-plugins"
        build = ["cargo", "build", "--release", "--quiet", "--target", "wasm32-wasip2", "--package", "normalise"]
        environment = dict(os.environ, CARGO_TARGET_DIR=str(target))
        subprocess.run(build, check=True, cwd=self.repository / "plugins", env=environment)
        return target / "wasm32-wasip2" / "release" / "normalise.wasm"

    # Inputs

    def input(self, workload, size):
        """The input of a workload, made if it is not there."""
        path = self.data / workload.source(size)
        if not path.exists():
            self.install(OWN_PACKAGES)
            rows = rows_of(workload, size)
            say(f"making {path.name}, {rows:,} rows")
            # In a process of its own, which gives its memory back.
            command = [sys.executable, "-m", "suite.generate", str(self.data), workload.kind, str(rows), size]
            subprocess.run(command, check=True, cwd=self.suite)
        return path

    def fresh(self, name):
        """An empty folder for one engine's output."""
        folder = self.out / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def discard(self, folder):
        """Frees what a run has left, but keeps the names of its files until all is measured: a file system may look long
        for a place of new files where others were just removed, as ext4 without a journal does."""
        for at, _, files in os.walk(folder):
            for file in files:
                os.truncate(os.path.join(at, file), 0)
        if folder.exists():
            self.discarded.mkdir(exist_ok=True)
            folder.rename(self.discarded / str(time.monotonic_ns()))

    def remove_discarded(self):
        """Removes what was discarded."""
        shutil.rmtree(self.discarded, ignore_errors=True)
