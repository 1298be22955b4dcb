"""Children that the target forks: they inherit its breakpoints (trap:U13)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403

EXACT = ("--exact", "work", "--exact", "fork_*")


def command(fixture, line):
    fixture.send(line)
    return fixture.result()


def start(*args, **kwargs):
    fixture = Fixture("forks")
    fixture.go()
    return fixture, attach(fixture, *EXACT, *args, **kwargs)


def finish(fixture, daemon):
    counted = command(fixture, "reap")
    equal((counted["wrong"], counted["failed"]), (0, 0), "wrong results and children that failed")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def check_calls(daemon, wanted):
    """Name -> calls, no more and no less; a call that has just ended is counted by then."""
    daemon.settled()
    got = {name: entry["calls"] for name, entry in daemon.functions().items() if name in wanted}
    equal(got, wanted, "calls")


def probes_leave_children():
    """Nobody counts what a child hits, and no guard sees its cost: it must lose the breakpoints soon."""
    fixture, daemon = start()
    first = command(fixture, "fork")["child"]
    check_clean(first)
    children = [command(fixture, "fork")["child"] for _ in range(5)]
    command(fixture, "run")
    for child in children:
        check_clean(child)
    expect(changed_text(fixture.pid), "the target lost its probes, too")
    figures = wait_until(lambda: (lambda c: c["with_probes"] == 0 and c)(daemon.status()["children"]),
                         what="a status without children that have probes")
    equal((figures["forked"], figures["living"], figures["timed"]), (6, 6, 0), "children forked, living and timed")
    expect(figures["sweeps"] > 0, "no sweep is counted")
    expect(any("6 forked children are not measured" in note for note in daemon.status()["notes"]),
           f"no note speaks of children: {daemon.status()['notes']}")
    command(fixture, "pause")
    check_calls(daemon, {"work": command(fixture, "calls 2000")["parent"]})
    finish(fixture, daemon)


def counts_stay_the_targets():
    """Whatever children do, and while they fork: the target's own calls, each once."""
    fixture, daemon = start()
    for line in ("short 200 10", "tree 50", "inside 50", "vfork 20", "storm 50 3000"):
        counted = command(fixture, line)
    check_calls(daemon, {"work": counted["parent"], "fork_inner": 1, "fork_middle": 1, "fork_outer": 1})
    figures = wait_until(lambda: (lambda c: c["living"] == 0 and c)(daemon.status()["children"]),
                         what="a status without living children")
    equal((figures["forked"], figures["executed"], figures["unnoticed"]), (200 + 2 + 1 + 20 + 50, 20, 0),
          "children forked, of them executed another program, unnoticed")
    finish(fixture, daemon)


def forked_too_fast():
    """Children that end before they can be freed: the target's probes go for their sake, and come back when they rest."""
    fixture = Fixture("forks")
    fixture.go()
    daemon = attach(fixture, "--functions", "work", "--domains", "functions")
    equal(len(changed_text(fixture.pid)), 1, "breakpoints")
    fixture.send("swarm 3000 5000")
    status = wait_until(lambda: (lambda s: s["children"]["off_ns"] and s)(daemon.status()), 90,
                        "the probes to be taken away")
    equal(status["probes"]["attached"], 0, "attached functions")
    expect(any("children are forked faster" in note for note in status["notes"]), f"no note says why: {status['notes']}")
    check_clean(fixture.pid)
    fixture.result()
    wait_until(lambda: daemon.status()["probes"]["attached"] == 1, what="another try")
    equal(daemon.status()["children"]["off_ns"], 0, "time without probes")
    finish(fixture, daemon)


def main():
    forked_too_fast()
    probes_leave_children()
    counts_stay_the_targets()


run(main)
