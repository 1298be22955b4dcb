"""Fifty cycles of attaching to a Go server under load and letting it go do it no harm (trap:U4)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403


def main():
    fixture = Fixture("goserver")
    fixture.send("run")
    for i in range(50):
        daemon = Daemon("--pid", fixture.pid, "--duration", "0.1", *(("--exact", "main.*") if i % 2 else ()))
        equal(daemon.wait(60), 0, f"exit status, stderr {daemon.stderr()}")
        expect(fixture.alive(), f"the target died: {fixture.stderr()[-1000:]}")
        check_session_empty(daemon)
    check_clean(fixture.pid)
    counted = fixture.stop()
    equal(counted["failed"], 0, "failed requests")
    expect(counted["handle"] > 1000, f"hardly any load: {counted}")
    fixture.finish()


run(main)
