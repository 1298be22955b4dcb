"""Instructions and control flow that are dangerous to probe: the target's results stay right."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403


def nops():
    fixture = Fixture("nop5", 5000)
    daemon = attach(fixture, "--exact", "*_entry", "--exact", "n5_*", "--exact", "redzone_leaf")
    counted = fixture.run()
    equal(counted["wrong"], 0, "wrong results under probes")
    daemon.settled()
    body = daemon.get("/functions_timing?raw=1")
    got = {entry["name"]: entry["calls"] for entry in body["data"]}
    skipped = sum(body["skipped"].values())
    names = ["n5_entry", "n5_inside", "lock_entry", "cs_nop_entry", "redzone_leaf", "jump_entry"]
    silent = [name for name in names if got.get(name) != counted["rounds"]]
    # Attached but silent (trap:U3) is the one thing that must not be: each is counted exactly or skipped with a reason.
    expect(all(name not in got for name in silent), f"calls are wrong: {got}, not {counted['rounds']} each")
    expect(len(silent) <= skipped, f"{silent} never fired and are not listed as skipped: {body['skipped']}")
    for name in ("redzone_leaf", "jump_entry", "n5_inside"):
        expect(name not in silent, f"{name} can be probed and was not: {body['skipped']}")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def jumps():
    fixture = Fixture("jumps", 1000, 40)
    daemon = attach(fixture, "--exact", "/^(landing|passed|leaving|steady|recurse)$/")
    counted = fixture.run()
    equal(counted["wrong"], 0, "wrong results")
    status = daemon.settled()
    got = daemon.functions()
    for name in ("landing", "steady", "recurse"):
        equal(got[name]["calls"], counted[name], f"calls of {name}")
    for name in ("passed", "leaving"):  # entered, never returned: not a finished call
        equal(got.get(name, {"calls": 0})["calls"], 0, f"calls of {name}")
    expect(status["losses"]["exits_skipped"] > 0, f"frames left by longjmp are not counted: {status['losses']}")
    daemon.stop()
    fixture.finish()


def too_deep():
    """The kernel follows 64 nested return probes; deeper calls are counted as entries, never lost quietly."""
    fixture = Fixture("jumps", 200, 200)
    daemon = attach(fixture, "--exact", "recurse", "--exact", "steady")
    counted = fixture.run()
    equal(counted["wrong"], 0, "wrong results")
    status = daemon.settled()
    got = daemon.functions()
    equal(got["steady"]["calls"], counted["steady"], "calls of steady")
    entry = got["recurse"]
    within(entry["calls"], 200 * 60, 200 * 64, "calls with a return probe")
    equal(int(entry["entries"]), counted["recurse"], "entries of recurse, of which the deeper ones are not timed")
    equal(status["losses"]["returns_too_deep"], counted["recurse"] - entry["calls"], "the missing returns")
    daemon.stop()
    fixture.finish()


def ifunc():
    fixture = Fixture("ifunc", 3000)
    daemon = attach(fixture, "--exact", "fx_*")
    counted = fixture.run()
    equal(counted["wrong"], 0, "wrong results")
    daemon.settled()
    got = daemon.functions()
    equal(got["fx_impl"]["calls"], counted["fx_impl"], "calls of fx_impl")
    expect("fx_chosen" not in got, "the resolver's symbol is reported as a function that runs")
    expect(any("IFUNC" in reason for reason in daemon.get("/functions_timing")["skipped"]), "the skip has no reason")
    daemon.stop()
    fixture.finish()


def main():
    nops()
    jumps()
    too_deep()
    ifunc()


run(main)
