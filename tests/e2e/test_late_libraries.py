"""Libraries that are loaded after attaching (trap:T11): their functions are timed by the patterns that name them, and
one that switches stacks makes all return probes go, also those that a thread keeps hitting (trap:U20)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403


def calls(daemon, name):
    return sum(entry["calls"] for full, entry in daemon.functions().items() if name in full)


def dlopened():
    fixture = Fixture("libraries", 3000, 1)
    daemon = attach(fixture, "--exact", "libfx_*.so:*_work*", "--exact", "fx_hammer", "--domains", "functions")
    planned = daemon.status()["probes"]["planned"]
    fixture.send("load")
    equal(fixture.result(), {"loaded": True}, "answer to load")
    wait_until(lambda: daemon.status()["probes"]["attached"] == planned + 1, what="the plugin's function to be attached")
    counted = fixture.run()
    equal(counted["wrong"], 0, "wrong results")
    daemon.settled()
    for name in ("plug_work", "ver_work"):
        equal(calls(daemon, name), counted["rounds"], f"calls of {name}")
    fixture.send("fibers")
    equal(fixture.result(), {"loaded": True}, "answer to fibers")
    reason = wait_until(lambda: (lambda text: text != "active" and text)(daemon.status()["domains"]["functions"]),
                        what="function timing to end")
    expect("stack" in reason or "fiber" in reason, f"the reason does not speak of fibers: {reason}")
    check_clean(fixture.pid)
    equal(calls(daemon, "plug_work"), counted["rounds"], "calls after that")
    daemon.stop()
    fixture.finish()


def started_by_us():
    """Of a child nothing but the program is mapped when it is planned; a library pattern waits for its library."""
    program = os.path.join(FIXTURES, "libraries")
    daemon = Daemon("--domains", "functions", "--exact", "libfx_versioned.so:ver_*", "--", program, 2000)
    equal(daemon.out.get(timeout=60), '{"ready":true}', "first line of the child")
    wait_until(lambda: daemon.status()["probes"]["attached"] > 0, what="functions of the library to be attached")
    daemon.child.stdin.write(b"go\n")
    daemon.child.stdin.flush()
    equal(json.loads(daemon.out.get(timeout=60)), {"rounds": 2000, "wrong": 0}, "result of the child")
    daemon.settled()
    equal(calls(daemon, "ver_work"), 2000, "calls of ver_work")
    daemon.child.stdin.close()
    equal(daemon.wait(), 0, "exit status")


SCRIPT = """
import ctypes, sys
first, second = (ctypes.CDLL(path).plug_work for path in sys.argv[1:3])
print('{"ready":true}', flush=True)
sys.stdin.readline()
for i in range(300):
    first(i), second(i)
print('{"each":300}', flush=True)
sys.stdin.readline()
"""


def same_name():
    """Two libraries of one name: the second is not added to the figures of the first, and said to be left out."""
    paths = []
    for _ in range(2):
        paths.append(shutil.copy(os.path.join(FIXTURES, "libfx_plugin.so"), temp_dir()))
    python = Process(["/usr/bin/python3", "-I", "-c", SCRIPT, *paths])
    equal(python.out.get(timeout=30), '{"ready":true}', "first line of python")
    daemon = Daemon("--pid", python.pid, "--exact", "libfx_plugin.so:plug_work", "--domains", "functions")
    daemon.wait_ready()
    python.child.stdin.write(b"go\n")
    python.child.stdin.flush()
    equal(python.out.get(timeout=30), '{"each":300}', "second line of python")
    daemon.settled()
    equal(calls(daemon, "plug_work"), 300, "calls of the first library's function")
    expect(any("another library of this name" in reason for reason in daemon.get("/functions_timing")["skipped"]),
           "nothing says that the second library was left out")
    daemon.stop()
    check_clean(python.pid)
    python.close()
    equal(python.child.returncode, 0, "exit status of python")


def main():
    dlopened()
    same_name()
    started_by_us()


run(main)
