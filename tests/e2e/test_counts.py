"""Call counts are equal to the fixture's own, to the call, whatever the ring loses and however
many threads count at once (trap:U17)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403


def one(threads, rounds, ring_kib):
    fixture = Fixture("calls", threads, rounds)
    daemon = attach(fixture, "--exact", "work_*", "--domains", "functions", "--ring-size", ring_kib)
    wanted = fixture.run()
    status = daemon.settled()
    got = {name: entry["calls"] for name, entry in daemon.functions().items() if name in wanted}
    equal(got, wanted, f"calls with {threads} threads and rings of {ring_kib} KiB")
    records = status["records"]
    equal(records["produced"] - records["slow_stacks"], sum(wanted.values()), "records produced, lost ones included")
    if ring_kib == 4:
        expect(records["lost"] > 0, f"a ring of 4 KiB lost nothing of {records['produced']}: the test proves nothing")
    else:
        equal(records["lost"], 0, "records lost with rings of 64 MiB")
    # Function logs: numbers of the newest calls, newest first.
    entry = daemon.functions()["work_a"]
    logs = daemon.get(f"/functions_timing/{entry['id']}/logs")
    equal(logs["total_invocations"], wanted["work_a"], "total_invocations of work_a")
    numbers = [log["invocation"] for log in logs["logs"]]
    equal(numbers, list(range(wanted["work_a"], wanted["work_a"] - len(numbers), -1)), "invocation numbers")
    within(len(numbers), 1, 50, "number of logs")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def main():
    one(1, 10000, 4)
    one(1, 10000, 65536)
    one(8, 4000, 4)
    one(8, 4000, 65536)


run(main)
