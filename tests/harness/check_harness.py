"""The harness must notice what it is there to notice: wrong bodies, breakpoints left behind, processes left behind."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import *  # noqa: E402,F403
import schema  # noqa: E402

STATUS = {"uptime": "1.00 s", "pid": 1, "version": "0.1.0", "target": {"pid": 1, "comm": "a", "exe": "/a"}, "state": "ready",
          "domains": {"threads": "active", "cpu": "active", "functions": "off because", "offcpu": "off because", "timeline": "active", "alloc": "off because"},
          "exec": {"count": 0, "last_ns": 0, "from": ""},
          "children": dict.fromkeys(("forked", "adopted", "living", "exited", "executed", "unnoticed", "with_probes",
                                     "hit_ns", "hit_stepped_ns", "off_ns", "sweeps", "timed", "left_out", "missed",
                                     "longest_attach_ns"), 0),
          "notes": [],
          "probes": {"planned": 1, "attached": 1, "skipped": 0, "dropped": 0}, "attach_ns": 5,
          "records": {"produced": 3, "consumed": 2, "lost": 1, "slow_stacks": 0}, "losses": {"ring_full": 1},
          "unwind": {"files": 1, "without": 0, "rows": 9, "build_ns": 1}, "cpu_ns": 1, "rss_bytes": 1,
          "kernel_bytes": 1}
ENTRY = {"id": 1, "name": "f", "calls": 2, "avg": "5 ns", "p95": "5 ns", "total": "10 ns", "percent_total": "0.00%", "self": "10 ns",
         "min": "5 ns", "max": "5 ns"}
TIMING = {"profiling_mode": "timing", "time_elapsed": "1.00 s", "total_elapsed_ns": 1000000000, "description": "x",
          "caller_name": "x", "percentiles": [95], "data": [ENTRY], "total_count": 1, "included_count": 1,
          "dropped": [{"name": "g", "reason": "over budget"}], "skipped": {"why": 2}}


def fails(function, *args):
    try:
        function(*args)
    except AssertionError:
        return
    raise AssertionError(f"{function.__name__}{args} should have failed")


def schemas():
    good = [("/profiler_status", STATUS, False), ("/functions_timing", TIMING, False),
            ("/functions_timing", {**TIMING, "data": [{**ENTRY, "sampled_calls": 2}]}, True)]
    for path, body, newer in good:
        equal(schema.errors("GET", path, 200, body, newer), [], f"complaints about a good body of {path}")
    bad = [
        ("/functions_timing", {**TIMING, "data": [{**ENTRY, "sampled_calls": 2}]}, False),  # a number: 0.18 refuses it
        ("/functions_timing", TIMING, True),  # newer consoles need sampled_calls
        ("/functions_timing", {**TIMING, "data": [{**ENTRY, "avg": "5ns"}]}, False),
        ("/functions_timing", {**TIMING, "data": [{**ENTRY, "surprise": "text"}]}, False),  # ours is strict
        ("/functions_timing", {k: v for k, v in TIMING.items() if k != "percentiles"}, False),
        ("/profiler_status", {**STATUS, "state": "fine"}, False),
        ("/profiler_status", {**STATUS, "uptime": "900.00 ms"}, False),
        ("/profiler_status", {k: v for k, v in STATUS.items() if k != "losses"}, False),
    ]
    for path, body, newer in bad:
        expect(schema.errors("GET", path, 200, body, newer), f"no complaint about {path}: {body}")
    fails(parse, b'{"a":1,"a":2}')
    fails(parse, b'{"a":NaN}')


def breakpoints():
    fixture = Fixture("calls", 1, 1)
    equal(changed_text(fixture.pid), [], "changes in an unprobed program")
    start, _, offset, path = next(m for m in _file_maps_of(fixture.pid) if m[3] == os.path.realpath(fixture.path))
    with open(f"/proc/{fixture.pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(start + 16)
        original = memory.read(1)
        memory.seek(start + 16)
        memory.write(b"\xcc" if original != b"\xcc" else b"\x90")
    equal(changed_text(fixture.pid), [(path, offset + 16)], "the one byte that was changed")


def _file_maps_of(pid):
    import harness
    return harness._file_maps(pid)


def leftovers():
    shell = Process(["/bin/sh", "-c", "sleep 100 & exec sleep 0"])
    shell.child.wait()

    def left():
        import harness
        return [pid for pid, session in harness._sessions() if session == shell.pid]
    expect(left(), "a process that was left behind is not seen")
    for pid in left():
        os.kill(pid, signal.SIGKILL)
    check_session_empty(shell)


def counts():
    """The fixture's own figures, from what it does: five calls a round."""
    fixture = Fixture("calls", 3, 100)
    equal(fixture.run(), {"work_a": 300, "work_b": 300, "work_outer": 300, "work_inner": 600}, "counts")
    fixture.finish()


class Busy(Daemon):
    """Too busy for the first @refusals questions."""

    def __init__(self, refusals, patience):
        self.refusals, self.patience = refusals, patience

    def ask(self, path, method="GET", headers=None, body=None):
        self.refusals -= 1
        if self.refusals >= 0:
            return Answer(503, {"retry-after": "0"}, b'{"error":"too busy"}')
        return Answer(200, {}, b'{"path":"' + path.encode() + b'"}')


def patience():
    """Who is told to ask again does so only if the test allows it, and not for ever; both can be seen."""
    fails(Busy(1, 0).get, "/threads")
    equal(Busy(1, 0).get("/threads", 503), {"error": "too busy"}, "an answer that was expected")
    before = Daemon.asked_again
    equal(Busy(2, 30).get("/threads"), {"path": "/threads"}, "the third answer")
    equal(Daemon.asked_again - before, 2, "questions that were asked again")
    fails(Busy(1 << 60, 0.1).get, "/threads")


def main():
    schemas()
    patience()
    breakpoints()
    leftovers()
    counts()


run(main)
