"""Kernels without uprobe_multi links (before 6.6) get uprobes by perf event, one by one: the same figures, fewer functions.
HOTPATHD_NO_UPROBE_MULTI makes this kernel such a one."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403

TRACEFS = "/sys/kernel/tracing/uprobe_events"


def features():
    code, lines, stderr = run_daemon("--features")
    equal(code, 0, f"exit status, {stderr}")
    found = {line[:36].strip(): line[36:].strip() for line in lines}
    equal(found["uprobe_multi links"], "no", "uprobe_multi links, which are masked")
    equal(found["uprobe sessions"], "no", "sessions, which need them")
    equal(found["uprobes by perf event (fallback)"], "yes", "the fallback")


def counts(threads, rounds):
    fixture = Fixture("calls", threads, rounds)
    daemon = attach(fixture, "--exact", "work_*", "--domains", "functions", "--ring-size", 65536)
    wanted = fixture.run()
    status = daemon.settled()
    entries = daemon.functions()
    equal({name: entries[name]["calls"] for name in wanted}, wanted, f"calls with {threads} threads")
    equal(status["records"]["produced"] - status["records"]["slow_stacks"], sum(wanted.values()), "records")
    expect(any("uprobe_multi" in note for note in status["notes"]), f"the limit is not told: {status['notes']}")
    expect(all(entries[name]["total_ns"] > 0 for name in ("work_outer", "work_inner")), "calls without a duration")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def exits():
    """Probes on exits, under exceptions."""
    fixture = Fixture("cxx", 500)
    daemon = attach(fixture, "--exact", "shop::*", "--domains", "functions")
    counted = fixture.run()
    equal(counted["wrong"], 0, "wrong results")
    daemon.settled()
    got = {name: entry["calls"] for name, entry in daemon.functions().items()}
    calls = sum(n for name, n in got.items() if name.startswith("shop::detail::check"))
    equal(calls, counted["check"] - counted["caught"], f"finished calls of shop::detail::check in {got}")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def too_deep():
    """trap:U6: the kernel follows 64 nested return probes; the missing ones are counted here, too."""
    fixture = Fixture("jumps", 50, 200)
    daemon = attach(fixture, "--exact", "recurse", "--exact", "steady", "--domains", "functions")
    counted = fixture.run()
    status = daemon.settled()
    got = daemon.functions()
    equal(got["steady"]["calls"], counted["steady"], "calls of steady")
    equal(int(got["recurse"]["entries"]), counted["recurse"], "entries of recurse")
    equal(status["losses"]["returns_too_deep"], counted["recurse"] - got["recurse"]["calls"], "the missing returns")
    daemon.stop()
    fixture.finish()


def quota():
    """Far fewer functions, those of --exact first; the plan and the API say which and why."""
    fixture = Fixture("manyfuncs")
    args = ("--exact", "fn_1990*", "--domains", "functions")
    last = [f"fn_1990{digit}" for digit in range(10)]
    code, lines, stderr = run_daemon("--pid", fixture.pid, "--functions", "fn_*", *args, "--dry-run")
    equal(code, 0, f"exit status of --dry-run, {stderr}")
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    kept = [row[0] for row in rows if not row[3].startswith("skipped: ")]
    equal(sorted(name for name in kept if name in last), last, "--exact functions in the plan")
    equal(len(kept), 100, "functions in the plan: 200 probes, two each")
    daemon = attach(fixture, "--functions", "fn_*", *args)
    probes = daemon.status()["probes"]
    equal(probes["attached"], len(kept), f"attached functions in {probes}")
    skipped = daemon.get("/functions_timing")["skipped"]
    equal(sum(n for reason, n in skipped.items() if "uprobe_multi" in reason), len(rows) - len(kept), f"skipped: {skipped}")
    # At most: each breakpoint is in the target's memory once.
    equal(len(changed_text(fixture.pid)), len(kept), "breakpoints in the target")
    daemon.send_signal(signal.SIGINT)
    equal(daemon.wait(90), 0, "exit status")
    expect("one by one" in daemon.stderr(), "no word about the slow end")
    check_clean(fixture.pid)
    fixture.child.kill()


def refused():
    """trap:U19: a failure is final. No other way is tried, and what was attached before goes away."""
    fixture = Fixture("manyfuncs")
    daemon = Daemon("--pid", fixture.pid, prefix=("prlimit", "--nofile=120"))
    why = wait_until(lambda: (lambda text: text != "active" and text)(daemon.status()["domains"]["functions"]), what="the failure")
    expect("attaching stopped" in why, f"the reason: {why}")
    with open(TRACEFS, encoding="utf-8") as file:
        equal(file.read(), "", TRACEFS)
    equal(daemon.status()["domains"]["threads"], "active", "the other domains")
    check_clean(fixture.pid)
    daemon.stop()
    fixture.child.kill()


def dropped():
    """The guard drops one function; the others stay exact, and the breakpoint of that one goes. Only functions that call nothing:
    a kernel since 6.13, which is none without uprobe_multi, would hold up each close while others fire in a probed frame (trap:U20)."""
    fixture = Fixture("hot")
    daemon = attach(fixture, "--functions", "hot_tiny", "--functions", "calm_step", "--domains", "functions")
    before = len(changed_text(fixture.pid))
    equal(before, 2, "breakpoints")
    fixture.go()
    wait_until(lambda: daemon.status()["probes"]["dropped"] > 0, what="a drop")
    wait_until(lambda: len(changed_text(fixture.pid)) < before, what="the end of a breakpoint")
    fixture.stop()
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def orphaned():
    """The probes hang on the main thread: that it has ended is said, since calls are not seen any more."""
    fixture = Fixture("leader")
    daemon = attach(fixture, "--exact", "step", "--domains", "functions")
    fixture.go()
    wait_until(lambda: daemon.functions().get("step", {"calls": 0})["calls"] > 10, what="calls of step")
    fixture.send("leave")
    why = wait_until(lambda: (lambda text: text != "active" and text)(daemon.status()["domains"]["functions"]), what="the end of timing")
    expect("main thread" in why, f"the reason: {why}")
    daemon.stop()
    fixture.finish()


def main():
    os.environ["HOTPATHD_NO_UPROBE_MULTI"] = "1"
    features()
    counts(1, 5000)
    counts(8, 2000)
    exits()
    too_deep()
    refused()
    dropped()
    orphaned()
    quota()


run(main)
