"""Measures runs: a fresh process each, the input in the page cache, the machine as quiet as it gets, engines in turn."""

import json
import os
import statistics
import subprocess
import time

from suite.home import say

# A machine that others use is waited for, but not for ever.
IDLE = 0.15
WAIT = 20
# What one run may take before it counts as failed.
LIMIT = 1800


class Failed(Exception):
    """An engine did not do a workload; the end of what it said."""


def busy():
    """CPU seconds that the whole machine has used since it started."""
    with open("/proc/stat", encoding="ascii") as lines:
        ticks = [int(word) for word in next(lines).split()[1:8]]
    # All but idling and waiting for disks.
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def wait_until_idle(most=WAIT):
    """Waits for a second in which the machine does next to nothing."""
    until = time.monotonic() + most
    while time.monotonic() < until:
        before = busy()
        time.sleep(1)
        if busy() - before < IDLE:
            return


def warm(path):
    """Reads a file once, so that nobody is measured reading it from disk."""
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 22):
            pass


def size_of(folder):
    """Bytes of all files below a folder."""
    return sum(os.path.getsize(os.path.join(at, file)) for at, _, files in os.walk(folder) for file in files)


def run(command, folder, meter, suite):
    """One run: seconds, peak memory and bytes written."""
    report = folder.parent / f"{folder.name}.json"
    report.unlink(missing_ok=True)
    before, began = busy(), time.monotonic()
    try:
        done = subprocess.run([str(meter), str(report), *command], cwd=suite, capture_output=True, timeout=LIMIT)
    except subprocess.TimeoutExpired as late:
        raise Failed(f"took more than {LIMIT} s") from late
    others = busy() - before
    if done.returncode:
        raise Failed((done.stderr + done.stdout).decode(errors="replace").strip()[-600:])
    sample = json.loads(report.read_text())
    report.unlink()
    cpu = sample["user"] + sample["sys"]
    return {
        "wall": sample["wall"],
        "cpu": cpu,
        "peak_mb": sample["peak_kib"] / 1024,
        "bytes": size_of(folder),
        # Cores that somebody else used meanwhile: what says how far to trust the wall clock.
        "others": max(0.0, (others - cpu) / (time.monotonic() - began)),
    }


def medians(samples):
    """Of each figure by itself."""
    return {key: statistics.median(sample[key] for sample in samples) for key in samples[0]}


def order(cases, repetition):
    """Workload by workload; of the engines another one comes first each time, as what was done before makes a difference."""
    groups = {}
    for engine, workload in cases:
        groups.setdefault(workload, []).append((engine, workload))
    for group in groups.values():
        first = repetition % len(group)
        yield from group[first:] + group[:first]


def in_turn(cases, repetitions, meter, home, check, patient=True):
    """Runs each case once a repetition, all of them before the next one. `cases` maps an engine and a workload to a function that
    makes the command; `check` judges the first output. Yields the case with its samples, or None if it failed."""
    samples, failed = {case: [] for case in cases}, set()
    for repetition in range(repetitions):
        for case in order(cases, repetition):
            if case in failed:
                continue
            source, command = cases[case]
            engine, workload = case
            folder = home.fresh(f"{engine}_{workload}")
            line = command(folder)
            warm(source)
            os.sync()
            if patient:
                wait_until_idle()
            try:
                sample = run(line, folder, meter, home.suite)
                if repetition == 0:
                    check(case, folder)
                samples[case].append(sample)
                say(f"{workload:10} {engine:18} cpu {sample['cpu']:7.2f} s  wall {sample['wall']:7.2f} s  "
                    f"peak {sample['peak_mb']:6.0f} MB  others {sample['others']:.2f}")
            except Failed as fault:
                failed.add(case)
                say(f"{workload:10} {engine:18} FAILED: {fault}")
            home.discard(folder)
            home.discard(folder.parent / f"{folder.name}.state")
    home.remove_discarded()
    return {case: (None if case in failed else taken) for case, taken in samples.items()}
