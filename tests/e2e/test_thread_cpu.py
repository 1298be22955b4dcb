"""CPU time of every thread within 1 % or one tick of its CLOCK_THREAD_CPUTIME_ID."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403

TICK_NS = 4000000


def threads_of(daemon):
    return {str(entry["os_tid"]): entry for entry in daemon.get("/threads")["data"]}


def many(count, scale):
    fixture = Fixture("threads", "many", count, scale)
    daemon = attach(fixture, "--domains", "threads")
    wanted = fixture.run()["threads"]
    equal(len(wanted), count, "threads of the fixture")

    def caught_up():
        got = threads_of(daemon)
        return all(tid in got and got[tid]["cpu_ns"] >= cpu * 0.99 for tid, cpu in wanted.items()) and got
    got = wait_until(caught_up, what="the CPU time of all threads")
    for tid, cpu in wanted.items():
        within(got[tid]["cpu_ns"], cpu * 0.99, cpu + max(cpu * 0.01, TICK_NS), f"cpu_ns of thread {tid}")
        equal(got[tid]["user_ns"] + got[tid]["system_ns"], got[tid]["cpu_ns"], f"user + system of thread {tid}")
        expect(got[tid]["voluntary_switches"] > 0, f"thread {tid} slept and never switched")
    # The main thread too, and nothing else.
    equal(set(got) - set(wanted), {str(fixture.pid)}, "threads that are not workers")
    body = daemon.get("/threads")
    equal(body["thread_count"], count + 1, "thread_count")
    equal(body["included_count"], len(body["data"]), "included_count")
    # More threads than CPUs: they waited for one.
    expect(sum(entry["runq_wait_ns"] for entry in got.values()) > 0, "no thread ever waited in a run queue")
    daemon.stop()
    fixture.finish()


def shortlived(count):
    fixture = Fixture("threads", "short", count)
    daemon = attach(fixture, "--domains", "threads")
    wanted = fixture.run()
    body = wait_until(lambda: (lambda b: b["exited_threads"] >= count and b)(daemon.get("/threads")),
                      what=f"the end of {count} threads")
    equal(body["exited_threads"], count, "exited_threads")
    # Each thread also starts and ends, which its own last reading does not see.
    within(body["exited_cpu_ns"], wanted["cpu_ns"], wanted["cpu_ns"] * 1.10 + TICK_NS, "exited_cpu_ns")
    daemon.stop()
    fixture.finish()


def main():
    many(8, 100)
    many(1000, 1)
    shortlived(500)


run(main)
