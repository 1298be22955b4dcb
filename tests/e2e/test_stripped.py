"""trap:T10: stripped programs. Functions without a name are called by address and counted right, C++ and Rust programs
are unharmed, a separate debug file gives the names back, and --dry-run and /profiler_status say where names come from."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403


def strip(name, folder):
    """A bare copy of a fixture, the addresses of its functions by name, and what all of them are called without names."""
    whole, bare = os.path.join(FIXTURES, name), os.path.join(folder, name + "_bare")
    if name in OPTIONAL and not os.path.exists(whole):
        print(f"{name} was not built: its compiler is not installed")
        return None, None, None
    subprocess.run(["objcopy", "--strip-all", whole, bare], check=True)
    out = subprocess.run(["nm", "-C", "--defined-only", whole], capture_output=True, text=True, check=True).stdout
    functions = [(line.split(" ", 2)[2], int(line.split()[0], 16)) for line in out.splitlines() if line.split()[1] in "TtWwi"]
    known = {called(bare, addr) for function, addr in functions if "[clone .cold" not in function and ".cold" not in function}
    return bare, dict(functions), known


def called(bare, addr):
    return f"{os.path.basename(bare)}+{addr:#x}"


def dry_run(pid):
    code, out, err = run_daemon("--dry-run", "--pid", pid)
    equal(code, 0, f"exit status of --dry-run, stderr {err}")
    rows = [line.split("\t") for line in out if not line.startswith("#")]
    return {row[0]: row[3] for row in rows}, [line for line in out if line.startswith("#")]


def plain(folder):
    bare, at, known = strip("calls", folder)
    fixture = Fixture(bare, 2, 3000)
    wanted = {name: called(bare, at[name]) for name in ("work_a", "work_b", "work_outer", "work_inner")}
    rows, heads = dry_run(fixture.pid)
    for row, site in rows.items():
        if "skipped" not in site:
            expect(row in known, f"{row} is no function of the program: {site}")
            expect("return probe" not in site, f"{row}, of which nothing is known, gets a return probe: {site}")
            expect(".eh_frame" in site, f"{row} does not say where it comes from: {site}")
    expect(any("come from nowhere: it is stripped" in head for head in heads), f"nothing says why names are missing: {heads}")
    daemon = attach(fixture, *[arg for name in wanted.values() for arg in ("--exact", name)])
    expect(any("calls_bare" in note and "stripped" in note for note in daemon.status()["notes"]), f"notes: {daemon.status()['notes']}")
    counted = fixture.run()
    daemon.settled()
    got = {name: entry["calls"] for name, entry in daemon.functions().items()}
    equal({name: got.get(wanted[name]) for name in counted}, counted, f"calls in a stripped program, of {got}")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()


def exceptions(folder, name):
    bare, at, known = strip(name, folder)
    fixture = Fixture(bare, 1000)
    rows, _ = dry_run(fixture.pid)
    for row, site in rows.items():
        if row.startswith(os.path.basename(bare) + "+") and "skipped" not in site:
            expect(row in known, f"{row} is no function of the program: {site}")
    daemon = attach(fixture)  # all that it has
    counted = fixture.run()
    equal(counted["wrong"], 0, f"wrong results of stripped {name}, whose exceptions pass probed frames")
    equal(counted["destroyed"], 2 * counted["rounds"], "destructors that ran")
    daemon.stop()
    check_clean(fixture.pid)
    fixture.finish()

    fixture = Fixture(bare, 1000)
    check = next(called(bare, addr) for function, addr in at.items() if function == "shop::attempt(int)")
    expect("skipped" not in rows[check], f"shop::attempt: {rows[check]}")
    daemon = attach(fixture, "--exact", check)
    counted = fixture.run()
    daemon.settled()
    entry = daemon.functions()[check]
    equal(int(entry.get("entries", entry["calls"])), counted["rounds"], f"entries of shop::attempt: {entry}")
    daemon.stop()
    fixture.finish()


def rust(folder):
    bare, at, _ = strip("rustfix", folder)
    if not bare:
        return
    fixture = Fixture(bare, 3000)
    parse = next(called(bare, addr) for function, addr in at.items() if function.startswith("rustfix::orders::parse"))
    total = next(called(bare, addr) for function, addr in at.items() if "Order::total" in function)
    daemon = attach(fixture, "--exact", parse, "--exact", total)
    counted = fixture.run()
    daemon.settled()
    got = {name: int(entry.get("entries", entry["calls"])) for name, entry in daemon.functions().items()}
    equal([got.get(parse), got.get(total)], [counted["parse"], counted["total"]], f"entries in a stripped Rust program, of {got}")
    daemon.stop()
    fixture.finish()


def go(folder):
    bare, _, _ = strip("gofix", folder)
    if not bare:
        return
    fixture = Fixture(bare)
    daemon = attach(fixture, "--cpu-hz", 999, ready=False)
    equal(fixture.run(), {"wrong": 0}, "sums of a Go program")
    wait_until(lambda: [entry["name"] for entry in daemon.get("/functions_cpu").get("report", {}).get("data", [])
                        if entry["name"].startswith(("main.", "runtime."))], what="samples by name in a stripped Go program")
    expect(any(".gopclntab" in note for note in daemon.status()["notes"]), f"notes: {daemon.status()['notes']}")
    daemon.stop()
    fixture.finish()


def debug_file(folder):
    bare, _, _ = strip("calls", folder)
    kept, debug = os.path.join(folder, "kept"), os.path.join(folder, ".debug", "kept.debug")
    os.mkdir(os.path.dirname(debug))
    subprocess.run(["objcopy", "--only-keep-debug", os.path.join(FIXTURES, "calls"), debug], check=True)
    subprocess.run(["objcopy", f"--add-gnu-debuglink={debug}", bare, kept], check=True)
    fixture = Fixture(kept, 2, 3000)
    rows, heads = dry_run(fixture.pid)
    expect(f"# names of kept come from {debug}" in heads, f"{heads} do not name {debug}")
    expect("return probe" in rows["work_outer"], f"work_outer: {rows['work_outer']}")
    daemon = attach(fixture, "--exact", "work_*")
    expect(f"names of kept come from {debug}" in daemon.status()["notes"], f"notes: {daemon.status()['notes']}")
    counted = fixture.run()
    daemon.settled()
    got = {name: entry["calls"] for name, entry in daemon.functions().items()}
    equal({name: got.get(name) for name in counted}, counted, "calls by the names of a debug file")
    daemon.stop()
    fixture.finish()


def main():
    folder = temp_dir()
    debug_file(folder)
    plain(folder)
    exceptions(folder, "cxx")
    exceptions(folder, "cxx_static")
    rust(folder)
    go(folder)


run(main)
