"""Functions that are inlined are frames of their own in inclusive mode; exclusive samples go to the function with the code."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403

INLINED = ("innermost_step", "middle_step")


def shares(*options):
    fixture = Fixture("inlined")
    daemon = attach(fixture, "--domains", "cpu", "--cpu-hz", 499, "--cpu-window", 2, *options)
    fixture.go()
    body = wait_until(lambda: (lambda b: b.get("report", {}).get("total_samples", 0) > 500 and b)(
        daemon.get("/functions_cpu?raw=1")), 30, "a window with samples")
    equal(daemon.get("/profiler_status")["losses"]["cpu_inlined_missed"], 0, "addresses without lines")
    fixture.stop()
    daemon.stop()
    fixture.finish()
    return {row["name"]: row["percent_percent"] for row in body["report"]["data"]}


def main():
    rows = shares("--cpu-inclusive")
    for name in (*INLINED, "burn"):
        expect(rows.get(name, 0) > 90, f"{name} is on {rows.get(name, 0)} % of the stacks: {rows}")
    rows = shares("--cpu-inclusive", "--no-inline")
    for name in INLINED:
        expect(name not in rows, f"{name} was read although it was not to be")
    rows = shares()
    expect(rows.get("burn", 0) > 90, f"burn has {rows.get('burn', 0)} % of the samples: {rows}")


run(main)
