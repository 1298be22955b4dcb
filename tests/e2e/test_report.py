"""--duration, --report -, the text report: every line fits 80 columns; NO_COLOR; --limit."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403
import pty


def text(*args):
    fixture = Fixture("calls", 2, 0)
    fixture.go()
    code, out, err = run_daemon("--pid", fixture.pid, "--exact", "work_*", "--duration", "1.5", "--cpu-window", 1, "--report", "-",
                                *args)
    equal(code, 0, f"exit status, stderr {err}")
    check_clean(fixture.pid)
    fixture.stop()
    fixture.finish()
    return fixture.pid, out


def columns():
    pid, out = text()
    for line in out:
        expect(len(line) <= 80, f"{len(line)} columns: {line!r}")
        expect("\x1b" not in line, f"an escape in a file: {line!r}")
    whole = "\n".join(out)
    for needle in (str(pid), "work_a", "work_outer", "functions_timing", "functions_cpu", "threads", "P95", "calls"):
        expect(needle in whole, f"{needle!r} is not in the report:\n{whole}")


def json_to_stdout():
    _, out = text("--format", "json", "--limit", 2)
    report = parse("\n".join(out).encode())
    functions = report["/functions_timing"]
    equal((len(functions["data"]), functions["included_count"]), (2, 2), "entries with --limit 2")
    expect(functions["total_count"] >= 4, f"total_count {functions['total_count']}")
    within(functions["total_elapsed_ns"], 1.4e9, 6e9, "elapsed time with --duration 1.5")


def on_terminal(env):
    """Runs it on a pseudo terminal: the report comes without --report."""
    fixture = Fixture("calls", 1, 0)
    fixture.go()
    ours, theirs = pty.openpty()
    child = subprocess.Popen([DAEMON, "--port", "0", "--pid", str(fixture.pid), "--exact", "work_*", "--duration", "1"],
                             stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL, env={**os.environ, **env})
    os.close(theirs)
    data = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the other side was closed
            break
        if not chunk:
            break
        data += chunk
    os.close(ours)
    equal(child.wait(30), 0, "exit status on a terminal")
    fixture.stop()
    fixture.finish()
    return data.decode("utf-8")


def main():
    columns()
    json_to_stdout()
    os.environ.pop("NO_COLOR", None)
    expect("work_a" in on_terminal({}), "no report on a terminal")
    expect("\x1b" in on_terminal({}), "no colours on a terminal")
    expect("\x1b" not in on_terminal({"NO_COLOR": "1"}), "colours although NO_COLOR is set")


run(main)
