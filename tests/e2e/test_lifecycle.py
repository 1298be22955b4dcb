"""The target exits, crashes, is killed while attaching, forks or replaces itself."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403


def exits():
    fixture = Fixture("family", "exit", 5)
    daemon = attach(fixture, "--exact", "child_and_parent")
    fixture.go()
    equal(fixture.wait(), 5, "the target's exit status")
    equal(daemon.wait(), 0, f"the daemon's exit status, stderr {daemon.stderr()}")


def crashes():
    fixture = Fixture("family", "crash")
    daemon = attach(fixture, "--exact", "child_and_parent")
    fixture.go()
    equal(fixture.wait(), -signal.SIGSEGV, "the target's exit status")
    equal(daemon.wait(), 0, f"the daemon's exit status, stderr {daemon.stderr()}")


def dies_while_attaching():
    """Killed at ten moments between the daemon's start and ready: never a crash, never a hang."""
    for part in range(10):
        fixture = Fixture("manyfuncs")
        daemon = Daemon("--pid", fixture.pid, serving=False)
        time.sleep(part * 0.03)  # the moment is the input of this test, not a wait for something
        os.kill(fixture.pid, signal.SIGKILL)
        fixture.wait()
        code = daemon.wait()
        expect(code in (0, 1, 4), f"exit status {code} after the target's death, stderr {daemon.stderr()}")
        expect("Sanitizer" not in daemon.stderr(), daemon.stderr())
        check_session_empty(daemon)


def forks():
    fixture = Fixture("family", "fork", 3000)
    daemon = attach(fixture, "--exact", "child_and_parent")
    counted = fixture.run()
    equal(counted["wrong"], 0, "wrong results")
    equal(counted["child_exit"], 7, "exit status of the forked child")
    daemon.settled()
    equal(daemon.functions()["child_and_parent"]["calls"], counted["calls"], "calls of the parent alone")
    daemon.stop()
    fixture.finish()


def executes():
    fixture = Fixture("family", "exec")
    daemon = attach(fixture, "--exact", "child_and_parent")
    fixture.go()
    result = fixture.result()
    equal(result, {"again": True, "wrong": 0}, "the program after exec")
    expect(daemon.status()["pid"] == fixture.pid, "the daemon lost its target")
    daemon.get("/threads")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def main():
    exits()
    crashes()
    dies_while_attaching()
    forks()
    executes()


run(main)
