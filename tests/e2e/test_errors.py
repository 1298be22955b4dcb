"""Each failure is one sentence with the remedy, and its exit code."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403
import socket
import struct

# No compiler for 32-bit programs needed: pause() in a loop.
CODE32 = bytes([0xB8, 29, 0, 0, 0, 0xCD, 0x80, 0xEB, 0xF7])


def elf32(path):
    base, head = 0x08048000, 52 + 32
    header = b"\x7fELF" + bytes([1, 1, 1, 0]) + bytes(8) + struct.pack(
        "<HHIIIIIHHHHHH", 2, 3, 1, base + head, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    size = head + len(CODE32)
    segment = struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 5, 0x1000)
    with open(path, "wb") as file:
        file.write(header + segment + CODE32)
    os.chmod(path, 0o755)


def fails(code, needles, *args, **kwargs):
    got, out, err = run_daemon(*args, **kwargs)
    equal(got, code, f"exit status of {args}, stderr {err!r}")
    lines = [line for line in err.splitlines() if line]
    equal(len(lines), 1, f"lines that {args} says: {lines}")
    expect(lines[0].startswith("hotpathd: "), f"the message does not say who speaks: {lines[0]!r}")
    for needle in needles:
        expect(needle.lower() in err.lower(), f"{args}: {err!r} should mention {needle!r}")
    equal(out, [], f"stdout of {args}")
    return err


def free_pid():
    with open("/proc/sys/kernel/pid_max", encoding="ascii") as file:
        return int(file.read()) - 1


def wrong_usage():
    fails(2, ["--pid"])
    fails(2, ["--pid"], "--pid", "abc")
    fails(2, ["--functions"], "--pid", 1, "--funtions", "x")
    fails(2, ["domain"], "--pid", 1, "--domains", "nosuch")
    fixture = Fixture("calls", 1, 1)
    err = fails(2, ["wrok_a", "work_a"], "--pid", fixture.pid, "--functions", "wrok_a")
    expect("nearest" in err, f"the nearest names are missing: {err}")
    check_clean(fixture.pid)
    fixture.finish()


def no_target():
    fails(4, [str(free_pid())], "--pid", free_pid())
    fails(4, ["no-such-name"], "--name", "no-such-name")
    with open("/proc/2/comm", encoding="ascii") as file:
        expect(file.read().strip() == "kthreadd", "pid 2 is no kernel thread here")
    fails(4, ["kernel thread"], "--pid", 2)
    fails(4, ["/no/such/program"], "--", "/no/such/program")


def by_name():
    first, second = Fixture("family", "exit", 0), Fixture("family", "exit", 0)
    err = fails(4, [str(first.pid), str(second.pid)], "--name", "family")
    expect("--pid" in err, f"the remedy is missing: {err}")
    second.close()
    daemon = Daemon("--name", "family")
    equal(daemon.status()["pid"], first.pid, "process found by name")
    daemon.stop()


def thread_id():
    fixture = Fixture("threads", "names")
    fixture.go()
    tid = next(tid for tid in fixture.result() if int(tid) != fixture.pid)
    fails(4, [str(fixture.pid)], "--pid", tid)
    fixture.send("rename")
    fixture.result()
    fixture.finish()


def not_root():
    fixture = Fixture("calls", 1, 1)
    # Where others may not search the build folder, the program is given to them as a copy.
    path = os.path.join(temp_dir(), "hotpathd")
    shutil.copy(DAEMON, path)
    os.chmod(path, 0o755)
    os.chmod(os.path.dirname(path), 0o755)
    child = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", path, "--port", "0", "--pid", str(fixture.pid)],
                           capture_output=True, text=True, timeout=30, check=False)
    equal(child.returncode, 3, f"exit status without root, stderr {child.stderr!r}")
    expect("root" in child.stderr or "CAP_" in child.stderr, f"the remedy is missing: {child.stderr!r}")
    fixture.finish()


def port_in_use():
    fixture = Fixture("calls", 1, 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        fails(1, [str(port), "--port"], "--pid", fixture.pid, "--port", port)
    check_clean(fixture.pid)
    fixture.finish()


def target_of_32_bit():
    path = os.path.join(temp_dir(), "pause32")
    elf32(path)
    try:
        child = Process([path])
    except OSError:
        print("this kernel runs no 32-bit programs: nothing to refuse")
        return
    expect(child.alive(), "the 32-bit program does not run")
    fails(4, ["32-bit"], "--pid", child.pid)
    expect(child.alive(), "the 32-bit program died")


def main():
    wrong_usage()
    no_target()
    by_name()
    thread_id()
    not_root()
    port_in_use()
    target_of_32_bit()


run(main)
