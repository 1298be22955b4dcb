"""Where probes go in a Go program (trap:U4), held against objdump's text: at the jump of the stack check, where there is one."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403
from oracle import *  # noqa: E402,F403


def main():
    fixture = Fixture("goserver")
    check(fixture.path, "goserver", "--pid", fixture.pid, judge=check_go_site)
    check(fixture.path, "goserver with the runtime", "--pid", fixture.pid, "--functions", "*", judge=check_go_site)
    fixture.finish()


run(main)
