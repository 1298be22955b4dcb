"""Where probes go, on programs of others, held against objdump's text: every site is the start of an instruction that
runs exactly once per call on the entry's stack, is not a 5-byte nop, and has the class it says."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403
from oracle import *  # noqa: E402,F403


def library(pid, stem):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
        for line in file:
            path = line.split(None, 5)[-1].strip()
            if os.path.basename(path).startswith(stem) and ".so" in path:
                return os.path.realpath(path)
    return None


def of_library(command, stem):
    child = Process(command)
    path = wait_until(lambda: library(child.pid, stem), what=f"{stem} in {command}")
    check(path, stem, "--pid", child.pid, "--functions", f"{os.path.basename(path)}:*")
    child.close()


def main():
    for program in ("redis-server", "nginx", "python3", "postgres", "git"):
        path = shutil.which(program, path="/usr/bin:/usr/sbin:/usr/lib/postgresql/15/bin")
        if path:
            check(os.path.realpath(path), program, "--", path, "--version")
        else:
            print(f"{program} is not installed")
    of_library(["/usr/bin/python3", "-c", "import sqlite3; print(flush=True); input()"], "libsqlite3")
    fixture = Fixture("cxx")
    path = library(fixture.pid, "libstdc++")
    check(path, "libstdc++", "--pid", fixture.pid, "--functions", f"{os.path.basename(path)}:*")
    fixture.finish()
    for name in ("rustfix", "cxx", "nop5", "jumps"):
        if os.path.exists(os.path.join(FIXTURES, name)):
            fixture = Fixture(name)
            check(fixture.path, name, "--pid", fixture.pid)
            fixture.finish()


run(main)
