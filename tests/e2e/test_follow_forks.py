"""--follow-forks: children are part of the profile, each call of each of them once (trap:U13)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403

MAX_FOLLOWED = 32


def command(fixture, line):
    fixture.send(line)
    return fixture.result()


def start(*args, before=()):
    fixture = Fixture("forks")
    fixture.go()
    answers = [command(fixture, line) for line in before]
    return fixture, attach(fixture, "--follow-forks", *args), answers


def fork(fixture, n):
    return [command(fixture, "fork")["child"] for _ in range(n)]


def wait_children(daemon, **wanted):
    """The figures once they are as wanted."""
    return wait_until(lambda: (lambda c: all(c[k] == v for k, v in wanted.items()) and c)(daemon.status()["children"]),
                      what=f"children with {wanted}")


def calls(daemon):
    daemon.settled()
    return {name: entry["calls"] for name, entry in daemon.functions().items()}


def finish(fixture, daemon):
    counted = command(fixture, "reap")
    equal((counted["wrong"], counted["failed"]), (0, 0), "wrong results and children that failed")
    wait_children(daemon, living=0, timed=0)
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def old_and_new_children():
    """Those that were there before, those that come, and their threads and samples."""
    fixture, daemon, old = start("--exact", "work", "--exact", "fork_*", before=("fork",))
    children = [old[0]["child"], *fork(fixture, 3)]
    wait_children(daemon, adopted=1, forked=3, timed=4, left_out=0)
    command(fixture, "run")
    wait_until(lambda: any(entry["name"] == "work" or entry["name"].startswith("kernel:uprobe") for entry in
                           daemon.get("/functions_cpu").get("report", {}).get("data", ())), what="samples of children")
    threads = {entry["os_tid"]: entry for entry in daemon.get("/threads")["data"]}
    equal({pid: threads[pid]["pid"] for pid in children}, {pid: pid for pid in children}, "processes of threads")
    equal(len(threads), 5, "threads of five processes")
    counted = command(fixture, "pause")
    equal(calls(daemon), {"work": counted["parent"] + counted["children"]}, "calls of all processes")
    counted = command(fixture, "calls 500")
    equal(calls(daemon), {"work": counted["parent"] + counted["children"]}, "calls after more of the parent's")
    command(fixture, "inside 1")
    # Both processes return through the frames of the fork; the child's had begun in the parent, and count once.
    got = calls(daemon)
    equal([got[name] for name in ("fork_inner", "fork_middle", "fork_outer")], [1, 1, 1], "calls that a fork is in")
    finish(fixture, daemon)


def short_lives():
    """What ends before it can be followed is missed and counted; nothing counts twice, nothing stays."""
    fixture, daemon, _ = start("--exact", "work", "--domains", "functions")
    for line in ("short 200 20", "tree 20", "vfork 20", "storm 100 500"):
        counted = command(fixture, line)
    figures = wait_children(daemon, living=0, timed=0)
    equal(figures["forked"], 200 + 2 + 20 + 100, "children")
    expect(figures["missed"] <= figures["forked"], f"more were missed than forked: {figures}")
    within(calls(daemon)["work"], counted["parent"], counted["parent"] + counted["children"], "calls")
    if figures["missed"]:
        expect(any("are missing" in note for note in daemon.status()["notes"]), "no note speaks of missed children")
    finish(fixture, daemon)


def more_than_can_be_followed():
    fixture, daemon, _ = start("--exact", "work", "--domains", "functions,threads")
    children = fork(fixture, MAX_FOLLOWED + 3)
    figures = wait_children(daemon, timed=MAX_FOLLOWED, left_out=3, with_probes=0)
    expect(figures["sweeps"] > 0, "inherited probes were not taken away")
    clean = [pid for pid in children if not changed_text(pid)]
    equal(len(clean), 3, "children without breakpoints")
    wait_until(lambda: len(daemon.get("/threads")["data"]) == 1 + len(children),
               what="all threads, also of children that are left out")
    finish(fixture, daemon)


def the_guard_sees_children():
    """The budget is of the CPU time of all processes, and what children hit is paid from it."""
    fixture, daemon, _ = start("--functions", "work", "--domains", "functions")
    fork(fixture, 2)
    wait_children(daemon, timed=2)
    command(fixture, "run")
    wait_until(lambda: any(entry["name"] == "work" for entry in daemon.get("/functions_timing")["dropped"]),
               what="the guard to drop a function that only children call")
    command(fixture, "pause")
    finish(fixture, daemon)


def the_target_ends_first():
    fixture, daemon, _ = start("--exact", "work", "--domains", "functions,threads")
    children = fork(fixture, 2)
    wait_children(daemon, timed=2)
    os.kill(fixture.pid, signal.SIGKILL)
    equal(daemon.wait(), 0, f"exit status of the daemon, stderr {daemon.stderr()}")
    for child in children:
        check_clean(child)
        os.kill(child, signal.SIGKILL)
    fixture.wait()


def main():
    old_and_new_children()
    short_lives()
    more_than_can_be_followed()
    the_guard_sees_children()
    the_target_ends_first()


run(main)
