"""Thread names that look like fields of /proc, change, or are no UTF-8."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403


def text(name):
    """The fixture prints one escape per byte."""
    return name.encode("latin-1").decode("utf-8", "replace")


def main():
    fixture = Fixture("threads", "names")
    daemon = attach(fixture, "--domains", "threads")
    fixture.go()

    def shows(wanted):
        got = {str(entry["os_tid"]): entry for entry in daemon.get("/threads")["data"]}
        return all(tid in got and got[tid]["name"] == text(name) for tid, name in wanted.items()) and got
    first = fixture.result()
    got = wait_until(lambda: shows(first), 10, f"the names {first}")
    for tid in first:
        equal((got[tid]["status"], got[tid]["status_code"]), ("Sleeping", "S"), f"state of thread {first[tid]!r}")
    fixture.send("rename")
    second = fixture.result()
    equal(set(second), set(first), "thread ids after renaming")
    wait_until(lambda: shows(second), 10, f"the names {second}")
    daemon.stop()
    fixture.finish()


run(main)
