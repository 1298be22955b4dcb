"""Go without its function table, and fibers, do not survive return probes: they are refused with a sentence, the rest works
(trap:U4)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403


def go():
    """Nothing tells its functions from C's: no probes."""
    path = os.path.join(temp_dir(), "gofix")
    if not os.path.exists(os.path.join(FIXTURES, "gofix")):
        return print("gofix was not built: Go is missing")
    subprocess.run(["objcopy", "--rename-section", ".gopclntab=.other", os.path.join(FIXTURES, "gofix"), path], check=True)
    fixture = Fixture(path)
    daemon = attach(fixture)
    status = daemon.status()
    reason = status["domains"]["functions"]
    expect("Go" in reason and len(reason) > 20, f"no sentence about Go: {reason!r}")
    equal(status["domains"]["threads"], "active", "threads of a Go program")
    equal(status["domains"]["cpu"], "active", "cpu of a Go program")
    equal(changed_text(fixture.pid), [], "breakpoints in a Go program")
    equal(fixture.run(), {"wrong": 0}, "result of the Go program")
    expect(daemon.get("/threads")["thread_count"] > 1, "a Go program has several threads")
    equal(daemon.get("/functions_timing")["data"], [], "functions of a Go program")
    daemon.stop()
    fixture.finish()


def fibers():
    fixture = Fixture("fibers", 2000)
    daemon = attach(fixture, "--exact", "fiber_yield")
    counted = fixture.run()
    equal(counted["wrong"], 0, "wrong results of fibers")
    status = daemon.status()
    notes = " ".join(status["notes"])
    expect("not timed" in notes, f"no sentence about fibers: {status['notes']}")
    entry = wait_until(lambda: daemon.functions().get("fiber_yield"), 5, "the entries of fiber_yield")
    equal(entry["calls"], counted["fiber_yield"], "entries of fiber_yield")
    expect("entries" in entry.get("sampling", ""), f"the entry does not say that only entries are counted: {entry}")
    daemon.stop()
    fixture.finish()


def main():
    fibers()
    go()


run(main)
