"""CPU shares of a known 50/30/20 split within 3 points at 99 Hz in 20 s."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403


def main():
    fixture = Fixture("cpusplit")
    daemon = attach(fixture, "--domains", "cpu", "--cpu-hz", 99, "--cpu-window", 20)
    fixture.go()
    body = wait_until(lambda: (lambda b: b.get("report", {}).get("total_elapsed_ns", 0) >= 19e9 and b)(
        daemon.get("/functions_cpu?raw=1")), 60, "a window of 20 s")
    counted = fixture.stop()
    report = body["report"]
    rows = {row["name"]: row for row in report["data"]}
    total = sum(counted.values())
    for name, spent in counted.items():
        expect(name in rows, f"{name} has no samples; there are {sorted(rows)}")
        within(rows[name]["percent_percent"], spent / total * 100 - 3, spent / total * 100 + 3, f"share of {name}")
    equal(sum(row["samples"] for row in report["data"]) <= report["total_samples"], True, "exclusive samples fit the total")
    samples = [row["samples"] for row in report["data"]]
    equal(samples, sorted(samples, reverse=True), "order of rows")
    daemon.stop()
    fixture.finish()


run(main)
