"""Total duration within 2 % of the fixture's own clock for bodies of 100 us."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403


SLACK = 1500  # ns by which calibration may err


def one(threads, calls):
    fixture = Fixture("durations", threads, calls)
    daemon = attach(fixture, "--exact", "spin_100us", "--domains", "functions", "--percentiles", "0,50,100")
    wanted = fixture.run()
    daemon.settled()
    entry = daemon.functions()["spin_100us"]
    equal(entry["calls"], wanted["calls"], "calls")
    within(entry["total_ns"] / wanted["total_ns"], 0.98, 1.02, f"total duration, {threads} threads, against the fixture's")
    equal(entry["avg_ns"], entry["total_ns"] // entry["calls"], "avg = total / calls")
    # From outside the body looks longer by the probe, of which the calibrated part is taken out.
    expect(entry["p0_ns"] >= 100000 - SLACK, f"p0 of bodies of 100 us is {entry['p0_ns']} ns")
    within(entry["p50_ns"], 100000 - SLACK, 130000, "p50 of bodies of 100 us")
    expect(entry["p100_ns"] >= wanted["max_ns"] * 0.999 - SLACK, f"p100 {entry['p100_ns']} below the fixture's maximum {wanted['max_ns']}")
    daemon.stop()
    fixture.finish()


def main():
    one(1, 10000)
    one(2, 5000)


run(main)
