"""The overhead guard drops a very hot tiny function, says so everywhere, and keeps the others."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403


def main():
    fixture = Fixture("hot")
    file = os.path.join(temp_dir(), "report.json")
    daemon = attach(fixture, "--report", file, "--format", "json")
    fixture.go()
    body = wait_until(lambda: (lambda b: any(d["name"] == "hot_tiny" for d in b["dropped"]) and b)(
        daemon.get("/functions_timing?raw=1")), what="the drop of hot_tiny")
    reason = next(d["reason"] for d in body["dropped"] if d["name"] == "hot_tiny")
    expect("budget" in reason, f"reason {reason!r}")
    expect(not any(d["name"] == "calm_step" for d in body["dropped"]), "calm_step was dropped too")
    status = daemon.status()
    expect(status["probes"]["dropped"] >= 1, f"probes {status['probes']}")
    # Dropped means that its breakpoint is gone: its figures stand still while the calm one goes on.
    frozen = daemon.functions()
    wait_until(lambda: daemon.functions()["calm_step"]["calls"] >= frozen["calm_step"]["calls"] + 50, what="50 more calm calls")
    now = daemon.functions()
    equal(now.get("hot_tiny", {}).get("calls"), frozen.get("hot_tiny", {}).get("calls"), "calls of hot_tiny after its drop")
    expect("hot_tiny" not in now or "budget" in now["hot_tiny"]["dropped"], "the entry does not say that it was dropped")
    daemon.stop()
    counted = fixture.stop()
    with open(file, "rb") as stream:
        report = parse(stream.read())["/functions_timing"]
    expect(any(d["name"] == "hot_tiny" for d in report["dropped"]), f"the report does not list the drop: {report['dropped']}")
    calm = {entry["name"]: entry["calls"] for entry in report["data"]}["calm_step"]
    within(calm, now["calm_step"]["calls"], counted["calm_step"], "calls of calm_step, whose link was replaced meanwhile")
    fixture.finish()
    exact()


def exact():
    """--exact is never dropped."""
    fixture = Fixture("calls", 1, 30000)
    daemon = attach(fixture, "--exact", "work_a")
    counted = fixture.run()
    daemon.settled()
    equal(daemon.get("/functions_timing")["dropped"], [], "dropped functions")
    equal(daemon.functions()["work_a"]["calls"], counted["work_a"], "calls of work_a")
    daemon.stop()
    fixture.finish()


run(main)
