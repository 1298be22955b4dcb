"""The guest's disk: this machine's own programs and libraries under another kernel, and a shell of busybox."""
import glob
import os
import re
import shutil
import subprocess
import sysconfig

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FIXTURES = ("calls", "durations", "cpusplit", "threads", "cxx_static", "manyfuncs")
# Parts of Python's library that no test needs.
LEFT_OUT = shutil.ignore_patterns("test", "idlelib", "lib2to3", "tkinter", "ensurepip", "turtledemo", "pydoc_data",
                                  "distutils", "unittest", "config-*", "dist-packages", "site-packages", "*.opt-?.pyc")


def check(argv):
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def add_file(tree, path, at=None):
    """@path with its name, and the file that it leads to."""
    where = tree + (at or path)
    os.makedirs(os.path.dirname(where), exist_ok=True)
    if not os.path.exists(where):
        shutil.copy2(path, where)


def add_program(tree, path, at=None):
    """A program and the libraries that it is linked with."""
    add_file(tree, path, at)
    done = subprocess.run(["ldd", path], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    for library in re.findall(r"(/\S+) \(0x", done.stdout):
        add_file(tree, library)


def add_python(tree):
    library = sysconfig.get_path("stdlib")  # run.py insists on the interpreter that is copied
    add_program(tree, "/usr/bin/python3")
    add_file(tree, f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}/libgcc_s.so.1")  # the C library opens it for threads
    shutil.copytree(library, tree + library, ignore=LEFT_OUT)
    for module in glob.glob(f"{tree}{library}/lib-dynload/*.so"):
        add_program(tree, module.removeprefix(tree))


def add_shell(tree):
    add_program(tree, "/bin/busybox", "/usr/bin/busybox")
    for applet in check(["/bin/busybox", "--list"]).split():
        if not os.path.lexists(f"{tree}/usr/bin/{applet}"):
            os.symlink("busybox", f"{tree}/usr/bin/{applet}")


def make_tree(tree, build):
    for folder in ("dev", "proc", "sys", "tmp", "run", "etc", "root", "out", "var/tmp", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64"):
        os.makedirs(f"{tree}/{folder}")
    for folder in ("bin", "sbin", "lib", "lib64"):
        os.symlink(f"usr/{folder}", f"{tree}/{folder}")
    with open(f"{tree}/etc/passwd", "w", encoding="utf-8") as file:
        file.write("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n")
    with open(f"{tree}/etc/group", "w", encoding="utf-8") as file:
        file.write("root:x:0:\nnogroup:x:65534:\n")
    add_shell(tree)
    add_python(tree)
    add_program(tree, f"{build}/hotpathd", "/build/hotpathd")
    for name in FIXTURES:
        add_program(tree, f"{build}/fixtures/{name}", f"/build/fixtures/{name}")
    add_file(tree, f"{ROOT}/tests/harness/harness.py", "/tests/harness/harness.py")
    add_file(tree, f"{HERE}/guest/smoke.py", "/tests/vm/guest/smoke.py")
    add_file(tree, f"{HERE}/guest/init", "/init")


def make(image, build, work):
    """Writes the disk to @image; @work is an empty folder for what goes into it."""
    tree = f"{work}/tree"
    make_tree(tree, build)
    check(["gcc", "-O2", "-static", "-o", f"{tree}/vmexit", f"{HERE}/guest/vmexit.c"])
    size = int(check(["du", "-sm", tree]).split()[0]) * 5 // 4 + 24
    check(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", tree, "-F", image, f"{size}M"])
    shutil.rmtree(tree)
