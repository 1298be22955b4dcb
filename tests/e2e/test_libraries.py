"""Functions of libraries, by library pattern: versioned names, dlopen, and a distribution's libz."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403


def main():
    fixture = Fixture("libraries", 3000)
    daemon = attach(fixture, "--exact", "libfx_versioned.so:ver_*", "--exact", "libfx_plugin.so:plug_work")
    counted = fixture.run()
    equal(counted["wrong"], 0, "wrong results")
    daemon.settled()
    got = {name: entry["calls"] for name, entry in daemon.functions().items()}
    equal(sum(n for name, n in got.items() if "ver_work" in name), counted["rounds"], f"calls of ver_work in {got}")
    equal(sum(n for name, n in got.items() if "ver_only" in name), counted["rounds"], f"calls of ver_only in {got}")
    equal(sum(n for name, n in got.items() if "plug_work" in name), counted["rounds"], f"calls of plug_work in {got}")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()
    libz()


SCRIPT = """
import sys, zlib
print('{"ready":true}', flush=True)
sys.stdin.readline()
for i in range(250):
    assert zlib.crc32(b"x" * 10) == zlib.crc32(b"xx" * 5)
print('{"crc32":500}', flush=True)
sys.stdin.readline()
"""


def libz():
    """A stripped library that others map too: only the target's calls count."""
    python = Process(["/usr/bin/python3", "-I", "-c", SCRIPT])
    other = Process(["/usr/bin/python3", "-I", "-c", SCRIPT])
    for process in (python, other):
        equal(process.out.get(timeout=30), '{"ready":true}', "first line of python")
    with open(f"/proc/{python.pid}/maps", encoding="utf-8") as file:
        if "libz.so" not in file.read():
            skip("this python3 does not use the shared libz")
    daemon = Daemon("--pid", python.pid, "--exact", "libz.so:crc32")
    daemon.wait_ready()
    equal(changed_text(other.pid), [], "breakpoints in another process that maps libz (trap:U12)")
    for process in (other, python):
        process.child.stdin.write(b"go\n")
        process.child.stdin.flush()
        equal(process.out.get(timeout=30), '{"crc32":500}', "second line of python")
    daemon.settled()
    calls = [entry["calls"] for name, entry in daemon.functions().items() if "crc32" in name and "_" not in name.split("crc32")[1]]
    equal(sum(calls), 500, f"calls of crc32 in {daemon.functions()}")
    daemon.stop()
    check_clean(python.pid)
    for process in (other, python):
        process.close()
        equal(process.child.returncode, 0, "exit status of python")


run(main)
