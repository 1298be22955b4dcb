"""A thread that stays in one probed function and goes on calling others holds up the kernel's grace periods
(trap:U20): neither dropping functions, nor a stop, nor a kill may wait for it."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403


def busy():
    """hot's loops are entered under probes and call probed functions for ever."""
    fixture = Fixture("hot")
    daemon = attach(fixture)
    fixture.go()
    wait_until(lambda: daemon.functions().get("calm_step", {"calls": 0})["calls"] > 20, what="calls in run_calm")
    return fixture, daemon


def stopped():
    fixture, daemon = busy()
    # The drop of hot_tiny has replaced a link; what follows shows that the probe thread did not wait for it.
    wait_until(lambda: daemon.status()["probes"]["dropped"] > 0, what="a drop")
    daemon.send_signal(signal.SIGINT)
    equal(daemon.wait(10), 0, "exit status")
    check_clean(fixture.pid)
    fixture.stop()
    fixture.finish()


def killed():
    fixture, daemon = busy()
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    check_session_empty(daemon)
    check_clean(fixture.pid)
    fixture.stop()
    fixture.finish()


def main():
    stopped()
    killed()


run(main)
