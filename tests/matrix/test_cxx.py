"""C++: exceptions, objects, tail calls and ends of threads with every way of building them."""
import glob
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from matrix import *  # noqa: E402,F403

UNITS = ["exceptions", "objects", "tails", "ends"]
ROUNDS = 12
PATTERNS = ["fn_*", "fn::*::area*", "fn::less*", "fn::apply*", "fn::sum*", "* fn::twice<*", *(f"mx_unit_{unit}" for unit in UNITS)]
FLAGS = [
    "g++ -O0", "g++ -O2", "g++ -O3", "g++ -O2 -fcf-protection=full -fPIE -pie", "g++ -O2 -fno-pie -no-pie",
    "g++ -O2 -fomit-frame-pointer", "g++ -O2 -flto", "g++ -O3 -flto -static -fcf-protection=full", "clang++ -O0",
    "clang++ -O2", "clang++ -O2 -fomit-frame-pointer -flto -fuse-ld=lld", "clang++ -O2 -fpatchable-function-entry=5",
]
MORE = [
    "g++ -O1", "g++ -Os", "g++ -O0 -fcf-protection=full", "g++ -O2 -fno-omit-frame-pointer", "g++ -O2 -static",
    "g++ -O2 -std=c++20 -fnon-call-exceptions", "clang++ -O3 -fcf-protection=full", "clang++ -O2 -fno-pie -no-pie",
    "clang++ -O2 -static",
]


def main():
    folder = temp_dir()
    units = " ".join(f"X({unit})" for unit in UNITS)
    builds, paths = {}, {}
    for i, label in enumerate(only_named(FLAGS, MORE)):
        compiler, *flags = label.split()
        if not shutil.which(compiler):
            skip(f"{compiler} is not installed")
        common = ["-Wall", "-Wextra", "-D_GNU_SOURCE", f"-I{HERE}", "-pthread", f"-DMX_UNITS(X)={units}"]
        sources = together(label, folder, ["main.c", *sorted(glob.glob("cxx/*.cpp", root_dir=HERE))], "cpp")
        paths[label] = os.path.join(folder, f"cxx{i}")
        builds[label] = ([compiler, *flags, *common, "-x", "c++", *sources, "-o", paths[label]], {})
    run_matrix("C++", builds, paths, UNITS, ROUNDS, PATTERNS)


run(main)
