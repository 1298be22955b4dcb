"""Go: no probe touches the program (trap:U4), the status says why, threads and CPU samples work."""
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from matrix import *  # noqa: E402,F403

ROUNDS = 40
BUILDS = {  # flags of go build -> environment
    "plain": ([], {}),
    "stripped": (["-ldflags=-s -w"], {}),
    "not optimised": (["-gcflags=-N -l"], {}),
    "trimmed path": (["-trimpath", "-ldflags=-w"], {}),
    "position independent": (["-buildmode=pie"], {}),
}


def one(path):
    program = Program(path, ROUNDS)
    daemon = Daemon("--pid", program.pid, "--cpu-window", 1, "--cpu-hz", 999)
    wait_until(lambda: daemon.status()["state"] == "ready", what="state ready")
    for _ in range(3):
        equal(program.unit("work")["wrong"], 0, "wrong results")
        equal(changed_text(program.pid), [], "breakpoints in a Go program")
    wait_until(lambda: program.unit("work")["wrong"] == 0 and
               daemon.get("/functions_cpu").get("report", {}).get("total_samples", 0) > 0, what="CPU samples")
    status = daemon.status()
    expect("Go program" in status["domains"]["functions"], f"no reason given: {status['domains']}")
    equal([status["domains"][name] for name in ("threads", "cpu")], ["active", "active"], "other domains")
    equal((status["probes"]["attached"], daemon.get("/functions_timing")["data"]), (0, []), "probes and figures")
    threads = daemon.get("/threads?raw=1")["data"]
    expect(len(threads) > 1 and sum(entry["cpu_ns"] for entry in threads) > 0, f"threads: {threads}")
    daemon.stop()
    program.finish()


def main():
    go = shutil.which("go") or skip("go is not installed")
    folder = temp_dir()
    settings = {"GO111MODULE": "off", "GOFLAGS": "", "CGO_ENABLED": "0", "GOCACHE": os.environ.get("GOCACHE", folder)}
    failed = []
    for i, label in enumerate(only_named(BUILDS)):
        flags, env = BUILDS[label]
        path = os.path.join(folder, f"go{i}")
        compile_one(label, [go, "build", *flags, "-o", path, os.path.join(HERE, "go", "main.go")], {**settings, **env})
        try:
            one(path)
            print(f"passed {label}", flush=True)
        except AssertionError as why:
            failed.append(f"Go: {label}: {why}")
            print(f"FAILED {label}", flush=True)
    expect(not failed, "\n".join(failed))


run(main)
