"""The target becomes another program (trap:U13): links would outlive that, and old names would pass for new ones."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403

SELF = os.path.join(FIXTURES, "forks")


def command(fixture, line):
    fixture.send(line)
    return fixture.result()


def start(*args):
    fixture = Fixture("forks")
    fixture.go()
    return fixture, attach(fixture, "--exact", "*work*", *args)


def replace(fixture, daemon, path, execs, *args):
    """The status once the new program is probed."""
    fixture.send(" ".join(["exec", path, *args]))
    equal(fixture.result(), {"ready": True}, f"first line of {path}")
    return wait_until(lambda: (lambda s: s["exec"]["count"] == execs and s["state"] == "ready" and s)(daemon.status()),
                      what="the new program to be probed")


def calls(daemon):
    daemon.settled()
    return {name: entry["calls"] for name, entry in daemon.functions().items()}


def another_program():
    fixture, daemon = start()
    equal(calls(daemon), {}, "functions before the first call")
    old = command(fixture, "calls 700")
    equal(calls(daemon), {"work": old["parent"]}, "calls in the first program")
    status = replace(fixture, daemon, os.path.join(FIXTURES, "calls"), 1, "2")
    equal(status["target"]["comm"], "calls", "name of the target")
    equal(status["target"]["exe"], os.path.realpath(os.path.join(FIXTURES, "calls")), "program of the target")
    equal(status["exec"]["from"], os.path.realpath(SELF), "program before")
    expect(any("replaced itself by" in note for note in status["notes"]), f"no note speaks of it: {status['notes']}")
    equal(status["domains"]["functions"], "active", "state of the functions domain")
    equal(calls(daemon), {}, "functions of the new program before its first call")
    fixture.go()
    wait_until(lambda: any(entry["name"].startswith("work_") for entry in
                           daemon.get("/functions_cpu").get("report", {}).get("data", ())),
               what="CPU samples with the new program's names")
    counted = fixture.stop()
    equal(calls(daemon), counted, "calls in the new program")
    equal({entry["name"] for entry in daemon.get("/threads")["data"]}, {"calls"}, "names of threads")
    daemon.get("/functions/visibility?glob=work_*")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def same_program_with_threads():
    """Each time the figures begin at 0, and every call is counted once."""
    fixture, daemon = start("--domains", "functions,threads")
    for execs in range(1, 4):
        command(fixture, "spin")
        command(fixture, "fork")
        replace(fixture, daemon, SELF, execs)
        fixture.go()
        counted = command(fixture, f"calls {execs * 100}")
        equal(calls(daemon), {"work": counted["parent"]}, f"calls after exec number {execs}")
    daemon.stop()
    check_clean(fixture.pid)
    os.killpg(fixture.pid, signal.SIGKILL)  # with the children that nobody waits for any more
    fixture.wait()


def many_at_once():
    fixture, daemon = start("--domains", "functions")
    for _ in range(9):
        fixture.send(f"exec {SELF}")
        equal(fixture.result(), {"ready": True}, "first line")
        fixture.go()
    status = replace(fixture, daemon, SELF, 10)
    equal(status["domains"]["functions"], "active", "state of the functions domain")
    fixture.go()
    counted = command(fixture, "calls 50")
    equal(calls(daemon), {"work": counted["parent"]}, "calls at last")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def another_language():
    """From C to Go, whose stacks bear no return probe: those of the old program's libraries must not be left."""
    program = os.path.join(FIXTURES, "gofix")
    if not os.path.exists(program):
        print("without a Go compiler: exec of a Go program is not tested")
        return
    fixture, daemon = start("--exact", "libc.so.6:*alloc*", "--exact", r"/^main$|^main\.main$/")
    status = replace(fixture, daemon, program, 1)
    equal(status["domains"]["functions"], "active", "state of the functions domain")
    expect(changed_text(fixture.pid), "no function of the Go program is probed")
    fixture.go()
    equal(fixture.result()["wrong"], 0, "wrong sums in the Go program")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def main():
    another_program()
    same_program_with_threads()
    many_at_once()
    another_language()


run(main)
