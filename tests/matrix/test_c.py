"""C: every unit of calls with every way of building it."""
import glob
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from matrix import *  # noqa: E402,F403

UNITS = ["nest", "recursion", "deep", "tail", "jump", "signals", "threads", "processes", "shapes"]
ROUNDS = 12
FLAGS = [
    "gcc -O0", "gcc -O2", "gcc -O3", "gcc -Os", "gcc -O2 -fcf-protection=full -fPIE -pie",
    "gcc -O2 -fcf-protection=none -fno-pie -no-pie", "gcc -O2 -fomit-frame-pointer -fPIE -pie", "gcc -O2 -flto",
    "gcc -O3 -flto -fwhole-program -fcf-protection=full", "gcc -O2 -static -fno-pie -no-pie",
    "gcc -O2 -static-pie -fPIE", "gcc -O3 -march=native -mno-red-zone",
    "gcc -O2 -pg -mfentry -mnop-mcount -fno-pie -no-pie", "gcc -O2 -fexceptions -DMX_UNWINDS -fcf-protection=full",
    "gcc -O3 -fexceptions -DMX_UNWINDS -flto", "clang -O0 -fexceptions -DMX_UNWINDS", "clang -O0", "clang -O2",
    "clang -O3", "clang -O2 -fcf-protection=full -fPIE -pie", "clang -O2 -fomit-frame-pointer -fPIE -pie",
    "clang -O2 -fno-omit-frame-pointer -static", "clang -O2 -flto -fuse-ld=lld",
    "clang -O3 -flto=thin -fuse-ld=lld -fcf-protection=full", "clang -O2 -fpatchable-function-entry=5",
    "clang -O3 -march=native",
]
MORE = [
    "gcc -O1", "gcc -Og -g", "gcc -O0 -fcf-protection=full", "gcc -O2 -fno-omit-frame-pointer -fno-pie -no-pie",
    "gcc -O3 -flto -static -fomit-frame-pointer", "gcc -O2 -fpatchable-function-entry=5",
    "gcc -O2 -fstack-protector-all -fstack-clash-protection", "gcc -O2 -fexceptions -fnon-call-exceptions",
    "gcc -O0 -fexceptions -DMX_UNWINDS", "clang -O2 -fexceptions -DMX_UNWINDS", "gcc -O1 -fsanitize=undefined",
    "gcc -O2 -mcmodel=large -fno-plt", "clang -O1", "clang -Os", "clang -O2 -fno-pie -no-pie",
    "clang -O3 -flto -fuse-ld=lld -static",
]


def main():
    folder = temp_dir()
    names = ["main.c", *sorted(glob.glob("c/*.c", root_dir=HERE))]
    common = ["-std=gnu17", "-Wall", "-Wextra", "-D_GNU_SOURCE", f"-I{HERE}", "-pthread",
              "-DMX_UNITS(X)=" + " ".join(f"X({unit})" for unit in UNITS)]
    builds, paths = {}, {}
    for i, label in enumerate(only_named(FLAGS, MORE)):
        compiler, *flags = label.split()
        if not shutil.which(compiler):
            skip(f"{compiler} is not installed")
        paths[label] = os.path.join(folder, f"c{i}")
        builds[label] = ([compiler, *flags, *common, *together(label, folder, names, "c"), "-o", paths[label]], {})
    run_matrix("C", builds, paths, UNITS, ROUNDS, ["fn_*", *(f"mx_unit_{unit}" for unit in UNITS)])


run(main)
