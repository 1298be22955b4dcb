"""Rust: recursion, traits, closures, panics through probed frames and threads, with every way of building them."""
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from matrix import *  # noqa: E402,F403

UNITS = ["calls", "panics", "threads"]
ROUNDS = 12
FLAGS = [
    "-C opt-level=0", "-C opt-level=2", "-C opt-level=3", "-C opt-level=2 -C force-frame-pointers=yes",
    "-C opt-level=2 -C relocation-model=static", "-C opt-level=2 -C target-feature=+crt-static",
    "-C opt-level=2 -C symbol-mangling-version=v0", "-C opt-level=2 -C prefer-dynamic", "-C opt-level=3 -C lto=thin",
]
MORE = [
    "-C opt-level=1", "-C opt-level=s -g", "-C opt-level=3 -C lto=fat -C codegen-units=1",
    "-C opt-level=3 -C target-cpu=native -C link-dead-code",
]
PATTERNS = ["mxrust::calls::fib", "*mxrust::calls::Shape>::area", "mxrust::calls::apply", "mxrust::panics::finishes",
            "mxrust::panics::panics", "mxrust::panics::middle", "mxrust::panics::catches", "mxrust::threads::worker",
            "mxrust::threads::step"]


def main():
    rustc = shutil.which("rustc") or skip("rustc is not installed")
    folder = temp_dir()
    library = subprocess.run([rustc, "--print", "target-libdir"], capture_output=True, text=True, check=True).stdout.strip()
    os.environ["LD_LIBRARY_PATH"] = library  # for those that are linked to the dynamic standard library
    builds, paths = {}, {}
    for i, label in enumerate(only_named(FLAGS, MORE)):
        paths[label] = os.path.join(folder, f"rust{i}")
        builds[label] = ([rustc, "--edition=2021", "--crate-name=mxrust", *label.split(), os.path.join(HERE, "rust", "main.rs"),
                          "-o", paths[label]], {})
    run_matrix("Rust", builds, paths, UNITS, ROUNDS, PATTERNS)


run(main)
