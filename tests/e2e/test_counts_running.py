"""Attaching and detaching while the program runs at full speed loses no call that ran in between."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403


def main():
    fixture = Fixture("calls", 2, 0)
    fixture.go()
    daemon = attach(fixture, "--exact", "work_*", "--domains", "functions")
    seen = []

    def enough():
        seen.append({name: entry["calls"] for name, entry in daemon.functions().items()})
        return min(seen[-1].get("work_a", 0), seen[-1].get("work_inner", 0)) > 20000
    wait_until(enough, what="20,000 calls")
    for before, after in zip(seen, seen[1:]):
        for name in before:
            expect(after[name] >= before[name], f"calls of {name} went back from {before[name]} to {after[name]}")
    last = seen[-1]
    # One round is work_a, work_b, work_outer and two work_inner; two threads may be inside a round, and the cells
    # are read one after the other while they run.
    ratio = last["work_inner"] / last["work_outer"]
    within(ratio, 1.9, 2.1, "work_inner per work_outer")
    daemon.stop()
    check_clean(fixture.pid)
    counted = fixture.stop()
    expect(counted["work_a"] >= last["work_a"], f"more calls reported than made: {last['work_a']} of {counted['work_a']}")
    fixture.finish()


run(main)
