"""User stacks of slow calls, seen at return probes (C) and at rets (C++), on two threads (trap:S1, trap:S2)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403
import schema

PROBED = ("leaf", "middle", "way_a", "way_b", "work", "burn")


def plain(stack):
    """Without parameter lists, and without modules in front."""
    return [frame.split("(")[0].split(":")[-1] for frame in stack]


def slowest(daemon, name):
    entry = next(entry for full, entry in daemon.functions().items() if full.split("(")[0] == name)
    path = f"/functions_timing/{entry['id']}/slowest"
    body = daemon.get(path)
    schema.check("GET", path, 200, body)
    return body["slowest"]


def named(daemon):
    """The slow calls of leaf, once their stacks have names; calls that were interrupted for long may be among them."""
    calls = [call for call in slowest(daemon, "leaf") if call["duration_ns"] >= 2900000]
    return calls if len(calls) >= 10 and all(call["stack"] for call in calls) else None


def check(fixture_name, env=None):
    fixture = Fixture(fixture_name)
    exact = [word for name in PROBED for word in ("--exact", name + "*")]
    daemon = Daemon("--pid", fixture.pid, *exact, "--domains", "functions", env=env)
    daemon.wait_ready()
    fixture.go()
    equal(fixture.result(), {"ready": True}, "the quick calls' end")
    daemon.settled()  # from now on it knows what is slow
    equal(fixture.run(), {"slow_a": 5, "slow_b": 5}, "slow calls")
    daemon.settled()
    calls = wait_until(lambda: named(daemon), what="stacks of the slow calls")
    by_way = {"way_a": 0, "way_b": 0}
    for call in calls:
        stack = plain(call["stack"])
        way = "way_a" if "way_a" in stack else "way_b"
        by_way[way] += 1
        wanted = ["middle", "way_a", "main"] if way == "way_a" else ["way_b", "work", "start_thread"]
        equal(stack[:3], wanted, f"stack of a slow call in {fixture_name}")
        equal(plain([call["caller"]])[0], stack[0], "caller by the shadow stack and by the stack")
        expect(call["stack_complete"], f"a stack that does not reach the thread's first function: {call}")
    expect(min(by_way.values()) >= 5, f"slow calls by way: {by_way}")
    fixture.finish()
    equal(daemon.wait(), 0, f"exit status, stderr: {daemon.stderr()}")
    check_session_empty(daemon)


def main():
    check("slowcalls_c")
    check("slowcalls")
    check("slowcalls_c", env={"HOTPATHD_NO_SESSIONS": "1"})


run(main)
