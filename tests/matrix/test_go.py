"""Go (trap:U4): goroutines whose stacks move, panics, deferred calls, C in between, with every way of building them."""
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from matrix import *  # noqa: E402,F403

ROUNDS = 40
UNITS = ["calls", "deep", "waits", "panics"]
BUILDS = {  # flags of go build -> environment
    "plain": ([], {}),
    "stripped": (["-ldflags=-s -w"], {}),
    "not optimised": (["-gcflags=-N -l"], {}),
    "position independent, stripped": (["-buildmode=pie", "-ldflags=-s -w"], {}),
}
MORE = {
    "trimmed path": (["-trimpath", "-ldflags=-w"], {}),
    "position independent": (["-buildmode=pie"], {}),
}
CGO = {
    "cgo": ([], {"CGO_ENABLED": "1"}),
    "cgo, position independent": (["-buildmode=pie"], {"CGO_ENABLED": "1"}),
}
PATTERNS = ["main." + name for name in ("mx_unit_calls", "fibonacci", "hugeFrame", "leafy", "several", "last", "descend", "alone",
                                        "work", "wait", "recover_", "between", "thrower")]
CGO_PATTERNS = ["main.callC", "main.comeBack", "main.grow", "c_outer", "c_inner"]


def builds_of(go, folder, prefix, chosen, more, source):
    settings = {"GO111MODULE": "off", "GOFLAGS": "", "CGO_ENABLED": "0", "GOPATH": folder,
                "GOCACHE": os.environ.get("GOCACHE", folder)}
    builds, paths = {}, {}
    for i, label in enumerate(only_named(chosen, more)):
        flags, env = {**chosen, **more}[label]
        paths[label] = os.path.join(folder, f"{prefix}{i}")
        builds[label] = ([go, "build", *flags, "-o", paths[label], source], {**settings, **env})
    return builds, paths


def main():
    go = shutil.which("go") or skip("go is not installed")
    folder = temp_dir()
    run_matrix("Go", *builds_of(go, folder, "go", BUILDS, MORE, os.path.join(HERE, "go", "main.go")), UNITS, ROUNDS, PATTERNS)
    if shutil.which("gcc"):
        # A package of several files must be found by its name.
        shutil.copytree(os.path.join(HERE, "go", "cgo"), os.path.join(folder, "src", "mxcgo"))
        run_matrix("Go and C", *builds_of(go, folder, "cgo", CGO, {}, "mxcgo"), ["calls"], ROUNDS, CGO_PATTERNS)


run(main)
