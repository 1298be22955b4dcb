"""100 cycles of attaching and detaching do a busy program no harm."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403


def main():
    fixture = Fixture("calls", 2, 0)
    fixture.go()
    for _ in range(100):
        daemon = Daemon("--pid", fixture.pid, "--exact", "work_*", "--duration", "0.2")
        equal(daemon.wait(), 0, f"exit status, stderr {daemon.stderr()}")
        expect(fixture.alive(), "the target died")
        check_session_empty(daemon)
    check_clean(fixture.pid)
    counted = fixture.stop()
    expect(counted["work_inner"] == 2 * counted["work_outer"], f"the target miscounted: {counted}")
    fixture.finish()


run(main)
