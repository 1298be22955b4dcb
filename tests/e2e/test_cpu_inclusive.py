"""--cpu-inclusive credits callers; the profile file is one that a viewer opens."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403
import gzip


def main():
    fixture = Fixture("cpusplit")
    daemon = attach(fixture, "--domains", "cpu", "--cpu-hz", 499, "--cpu-window", 2, "--cpu-inclusive")
    fixture.go()
    body = wait_until(lambda: (lambda b: b.get("report", {}).get("total_samples", 0) > 500 and b)(
        daemon.get("/functions_cpu?raw=1")), 30, "a window with samples")
    report = body["report"]
    equal(report["description"], "CPU sampling attribution per function (inclusive).", "description")
    rows = {row["name"]: row["percent_percent"] for row in report["data"]}
    # run() calls the three burners and does nothing itself.
    expect("run" in rows, f"the caller has no samples: {sorted(rows)}")
    expect(rows["run"] > 90, f"run() is on {rows['run']} % of the stacks")
    expect(rows["burn_50"] < rows["run"], "a callee has more than its caller")
    path = report["profile_path"]
    expect(path and os.path.exists(path), f"profile_path {path!r} is no file")
    with open(path, "rb") as file:
        data = file.read()
    profile = parse(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    for key in ("meta", "threads"):
        expect(key in profile, f"the profile has no {key}")
    expect("interval" in profile["meta"] and "version" in profile["meta"], f"meta is {profile['meta']}")
    expect(sum(len(t["samples"]["stack"]) for t in profile["threads"]) > 0, "the profile has no samples")
    for thread in profile["threads"]:
        stacks = thread["stackTable"]
        depth = len(stacks["frame"])
        equal(len(stacks["prefix"]), depth, "lengths in stackTable")
        for i, prefix in enumerate(stacks["prefix"]):
            expect(prefix is None or 0 <= prefix < i, f"stack {i} has prefix {prefix}")
        for stack in thread["samples"]["stack"]:
            expect(stack is None or 0 <= stack < depth, f"a sample points at stack {stack} of {depth}")
    daemon.stop()
    fixture.finish()


run(main)
