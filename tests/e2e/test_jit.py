"""JIT code has the names that its program writes: node's own, and a perf map in another mount namespace."""
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403

# The engine may put the leaf into its caller, so the caller bears its name, too.
HOT = """
function hotLeaf(n) { let s = 0; for (let i = 0; i < n; i++) s = (s * 31 + i) % 1000003; return s; }
function hotLeafCaller() {
    let x = 0;
    const end = Date.now() + 60000;
    while (Date.now() < end) for (let i = 0; i < 50; i++) x += hotLeaf(20000);
    return x;
}
console.log('{"ready":true}');
hotLeafCaller();
"""


def hot_rows(daemon):
    report = daemon.get("/functions_cpu?raw=1").get("report", {})
    rows = [row for row in report.get("data", []) if "hotLeaf" in row["name"]]
    if report.get("total_samples", 0) < 200 or not rows:
        return None
    share = sum(row["samples"] for row in rows) / report["total_samples"]
    return rows if share > 0.8 else None


def bad_lines(daemon):
    return daemon.get("/profiler_status")["losses"]["cpu_perf_map_lines_bad"]


def spoil(pid):
    with open(f"/tmp/perf-{pid}.map", "a") as names:
        return names.write("no line\n")


def check(prefix, folder):
    node = shutil.which("node")
    if not node:
        skip("node is not installed")
    target = Process([*prefix, node, "--perf-basic-prof", "-e", HOT], cwd=folder)  # V8 leaves a log there
    expect(target.out.get(timeout=30) is not None, "node did not start")
    daemon = Daemon("--pid", target.pid, "--domains", "cpu", "--cpu-hz", 499, "--cpu-window", 2)
    # Not from the first second on: the map is read once a second.
    try:
        rows = wait_until(lambda: hot_rows(daemon), 30, "80 % of a window's samples in hotLeaf")
    except AssertionError as error:
        raise AssertionError(f"{error}; the last report is {daemon.get('/functions_cpu?raw=1')}") from error
    expect(any(row["name"].startswith("JS:") for row in rows), f"names are {rows}")
    equal(bad_lines(daemon), 0, "lines of node's map that do not parse")
    if not prefix:
        # Again and again, since node may write over it.
        wait_until(lambda: spoil(target.pid) and bad_lines(daemon), 30, "a bad line in the status")
    daemon.stop()
    target.child.kill()
    target.wait()
    if os.path.exists(f"/tmp/perf-{target.pid}.map"):
        os.unlink(f"/tmp/perf-{target.pid}.map")


def main():
    with tempfile.TemporaryDirectory() as folder:
        check([], folder)
        # With a /tmp of its own: the map is not to be found in ours.
        check(["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /tmp && exec "$@"', "sh"], folder)


run(main)
