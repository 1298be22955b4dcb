"""Calls in progress while the profiler attaches or detaches, programs that end inside probed calls, signal stacks."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from matrix import *  # noqa: E402,F403

LEVELS = 5
FLAGS = ["gcc -O0", "gcc -O2 -fcf-protection=full", "clang -O2", "gcc -O2 -fexceptions -DMX_UNWINDS",
         "clang -O0 -fexceptions -DMX_UNWINDS"]


def counts(daemon):
    daemon.settled()
    return {name: (entry["calls"], entry["entries"]) for name, entry in figures(daemon).items()}


def probed(program):
    return attach(program, "--domains", "functions", "--exact", "fn_*")


def progress(path):
    program = Program(path)
    # In progress at attach: such a call was not entered before us, so it has no figures; the calls that it makes have.
    equal(program.unit("enter"), {"inside": True, "fn_waits": LEVELS, "fn_leaf": 0}, "before attach")
    daemon = probed(program)
    equal(program.unit("leave"), {"outside": True, "fn_waits": LEVELS, "fn_leaf": LEVELS}, "after attach")
    got = counts(daemon)
    equal(got, {"fn_leaf": (LEVELS, LEVELS)}, "calls after attach")
    # Complete calls.
    program.unit("enter")
    program.unit("leave")
    equal(counts(daemon), {"fn_leaf": (2 * LEVELS, 2 * LEVELS), "fn_waits": (LEVELS, LEVELS)}, "complete calls")
    # In progress at detach: entered, never finished, and the thread must return through all its frames unharmed.
    program.unit("enter")
    equal(counts(daemon)["fn_waits"], (LEVELS, 2 * LEVELS), "calls in progress")
    daemon.stop()
    check_clean(program.pid)
    equal(program.unit("leave"), {"outside": True, "fn_waits": 3 * LEVELS, "fn_leaf": 3 * LEVELS}, "after detach")
    # Across both: two daemons, one after the other.
    program.unit("enter")
    first = probed(program)
    first.send_signal(signal.SIGKILL)
    first.wait()
    second = probed(program)
    equal(program.unit("leave")["outside"], True, "after a daemon that was killed and another that attached")
    equal(counts(second), {"fn_leaf": (LEVELS, LEVELS)}, "calls for the second daemon")
    second.stop()
    program.finish()


def ends(path, how, status):
    """The program ends as it would have without us, and the daemon ends by itself with a report."""
    program = Program(path, how)
    report = os.path.join(os.path.dirname(path), "report.json")
    daemon = Daemon("--pid", program.pid, "--domains", "functions", "--exact", "fn_*", "--report", report, "--format", "json")
    daemon.wait_ready()
    program.child.stdin.write(b"go\n")
    program.child.stdin.flush()
    equal(program.wait(), status, f"how the program ended ({how})")
    equal(daemon.wait(), 0, f"exit status of the daemon: {daemon.stderr()}")
    with open(report, "rb") as file:
        body = parse(file.read())
    equal(body["/profiler_status"]["state"], "exited", "state in the report")
    # A function without any ret is only counted; four threads are in it.
    equal({entry["name"]: entry["calls"] for entry in body["/functions_timing"]["data"] if "sampling" not in entry}, {},
          "calls that finished")
    expect(all((entry["name"], entry["calls"]) == ("fn_deeper", 4) for entry in body["/functions_timing"]["data"]), "counted calls")


def signal_stack(path, place):
    program = Program(path, 20, place)
    daemon = probed(program)
    for turn in (1, 2):
        said = program.unit("work")
        equal(said["wrong"], 0, "wrong results")
        wanted = {name: n[0] for name, n in said["functions"].items()}
        # A return probe on a stack above the interrupted one would end the program: such calls are counted apart.
        untimed = {name for name in wanted if "on_signal" in name} if place == "above" else set()
        equal(counts(daemon), {name: (n, n) for name, n in wanted.items() if name not in untimed}, f"calls in turn {turn}")
        equal(daemon.status()["losses"]["calls_on_signal_stack"], sum(wanted[name] for name in untimed), "untimed calls")
    daemon.stop()
    check_clean(program.pid)
    program.finish()


def main():
    folder = temp_dir()
    failed, cases = [], 0
    for i, label in enumerate(only_named(FLAGS)):
        compiler, *flags = label.split()
        paths = {name: os.path.join(folder, f"{name}{i}") for name in ("progress", "killed", "altstack")}
        for name, path in paths.items():
            compile_one(label, [compiler, *flags, "-D_GNU_SOURCE", f"-I{HERE}", "-pthread",
                                os.path.join(HERE, "alone", f"{name}.c"), "-o", path], {})
        checks = [("progress", progress, ()), ("altstack", signal_stack, ("below",)), ("altstack", signal_stack, ("above",))]
        checks += [("killed", ends, end) for end in (("exit", 7), ("_exit", 7), ("exec", 7), ("kill", -signal.SIGKILL),
                                                     ("abort", -signal.SIGABRT))]
        for name, check, arguments in checks:
            cases += 1
            try:
                check(paths[name], *arguments)
            except AssertionError as why:
                failed.append(f"{label}: {name} {arguments}: {why}")
        print(f"{label}: done", flush=True)
    print(f"{cases} cases, {len(failed)} failed")
    expect(not failed, "\n" + "\n".join(failed))


run(main)
