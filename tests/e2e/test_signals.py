"""SIGINT and SIGTERM stop cleanly, a second one ends at once, SIGKILL leaves the target unharmed."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403


def polite(number):
    fixture = Fixture("calls", 2, 0)
    daemon = attach(fixture, "--exact", "work_*")
    fixture.go()
    wait_until(lambda: daemon.functions().get("work_a", {}).get("calls", 0) > 100, what="calls")
    expect(changed_text(fixture.pid), "no breakpoint in the target: the test proves nothing")
    daemon.stop(number)
    check_clean(fixture.pid)
    fixture.stop()
    fixture.finish()


def impatient():
    """A report into a pipe that nobody reads keeps the first stop waiting; the second signal ends it."""
    fixture = Fixture("calls", 1, 0)
    pipe = os.path.join(temp_dir(), "pipe")
    os.mkfifo(pipe)
    daemon = attach(fixture, "--exact", "work_*", "--report", pipe)
    fixture.go()
    daemon.send_signal(signal.SIGINT)
    # Stopped serving and detached, and now waiting for a reader of the pipe.
    wait_until(lambda: not changed_text(fixture.pid), what="detaching")
    expect(daemon.alive(), "the daemon did not wait for the reader: the test proves nothing")

    def again():
        daemon.send_signal(signal.SIGINT)
        try:
            return daemon.child.wait(0.2) is not None
        except subprocess.TimeoutExpired:
            return False
    wait_until(again, 10, "the end after a second signal")
    expect(daemon.child.returncode != 0, "an interrupted stop claims success")
    check_session_empty(daemon)
    fixture.stop()
    fixture.finish()


def killed(when_ready):
    fixture = Fixture("calls", 2, 0)
    fixture.go()
    daemon = Daemon("--pid", fixture.pid, "--exact", "work_*", serving=when_ready)
    if when_ready:
        daemon.wait_ready()
        expect(changed_text(fixture.pid), "no breakpoint in the target: the test proves nothing")
    else:
        wait_until(lambda: changed_text(fixture.pid), what="the first breakpoint")
    daemon.send_signal(signal.SIGKILL)
    equal(daemon.wait(), -signal.SIGKILL, "exit status")
    check_session_empty(daemon)
    check_clean(fixture.pid)
    counted = fixture.stop()
    expect(counted["work_inner"] == 2 * counted["work_outer"], f"the target miscounted: {counted}")
    fixture.finish()


def main():
    polite(signal.SIGINT)
    polite(signal.SIGTERM)
    impatient()
    killed(True)
    for _ in range(5):
        killed(False)


run(main)
