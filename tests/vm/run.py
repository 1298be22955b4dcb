"""run.py BUILD [LABEL...]: boots the kernels of kernels.txt under qemu and runs guest/smoke.py in each, with the daemon and
the fixtures of BUILD (a release build: sanitizers are too slow for an emulated machine).

Status 0: every kernel that was to be had passed, and at least one was; 1: a failure; 77: none was to be had. A kernel that
is not to be had is NOT RUN, with the reason; with HP_VM_REQUIRED=1 it has failed.

Settled by trial:
- Emulation only (tcg), and one thread for all virtual CPUs: with a thread each, a CPU may run a stale breakpoint while the kernel
  patches its own text, about once in a hundred boots.
- "-cpu max,-cx16": qemu 7.2 spoils flags around cmpxchg16b, which kills one boot of 6.12 in six.
- Without cmpxchg16b kmalloc_nolock() gives nothing, and since 6.19 task storage comes from there (kernel commit f484f4a3e058):
  no thread would have a shadow stack. Caches with checks are excepted, hence slab_debug=F for the newest kernels.
- NVMe, ext4 and the serial port are built into every cloud kernel: no initramfs, no modules. One disk: two swap names.
- Figures of speed mean nothing in here; counts and shares are exact.
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import fetch
import image

HERE = os.path.dirname(os.path.abspath(__file__))
QEMU = "qemu-system-x86_64"
TIMED_OUT, NO_VERDICT = 124, 99
LIMIT = 300  # seconds for one boot with its tests
AT_ONCE = 2  # guests, of about 250 MB each
ARGUMENTS = ("console=ttyS0 root=/dev/nvme0n1 rootfstype=ext4 rw rootwait init=/init panic=-1 oops=panic "
             "softlockup_panic=1 mitigations=off nokaslr tsc=reliable no_timer_check i8042.noaux i8042.nokbd")


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def kernels(wanted):
    for line in read(f"{HERE}/kernels.txt").split("\n"):
        fields = line.split()
        if not fields or line.startswith("#") or (wanted and fields[0] not in wanted):
            continue
        label, suite, package, attach, *arguments = fields
        yield label, suite, package, attach, arguments


def boot(vmlinuz, disk, out, arguments):
    """One boot: the tests' exit status, TIMED_OUT or NO_VERDICT. The logs are in @out."""
    os.makedirs(out)
    # Holes stay holes, and each guest has a disk of its own.
    subprocess.run(["cp", "--sparse=always", disk, f"{out}/disk"], check=True)
    argv = [QEMU, "-no-user-config", "-nodefaults", "-display", "none", "-no-reboot", "-M", "q35",
            "-accel", "tcg,thread=single", "-cpu", "max,-cx16", "-smp", "2", "-m", "512",
            "-kernel", vmlinuz, "-append", " ".join([ARGUMENTS, *arguments]),
            "-drive", f"file={out}/disk,format=raw,if=none,id=root,cache=unsafe", "-device", "nvme,drive=root,serial=root",
            "-serial", f"file:{out}/console.log", "-serial", f"file:{out}/result.log",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
    with open(f"{out}/qemu.log", "w", encoding="utf-8") as log:
        try:
            status = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=LIMIT).returncode
        except subprocess.TimeoutExpired:
            status = None
    with open(f"{out}/qemu.log", "a", encoding="utf-8") as log:
        log.write(f"qemu was stopped after {LIMIT} s\n" if status is None else f"qemu ended with {status}\n")  # negative: a signal
    subprocess.run(["debugfs", "-R", f"rdump /out {out}", f"{out}/disk"], capture_output=True, stdin=subprocess.DEVNULL)
    os.unlink(f"{out}/disk")
    if status is None:
        return TIMED_OUT
    verdicts = re.findall(r"^VM-RC=(\d+) ", read(f"{out}/result.log"), re.M)
    # Both must say the same: a panic ends qemu without the line, and a line alone may be somebody's output.
    if verdicts and status == (int(verdicts[-1]) * 2 + 1) & 255:
        return int(verdicts[-1])
    return NO_VERDICT


def report(label, release, verdict, out):
    result = read(f"{out}/result.log")
    print(f"vm {label} ({release}): {verdict}", flush=True)
    for line in result.split("\n"):
        if line.startswith("smoke: "):
            print(f"  {line}")
    if not verdict.startswith("passed"):
        print(f"  logs are in {out}; the last lines:")
        last = [(result, 25), (read(f"{out}/console.log"), 8), (read(f"{out}/qemu.log"), 4)]
        for line in (line for text, n in last for line in text.split("\n")[-n:]):
            print(f"  | {line[:200]}")


def one(label, suite, package, attach, arguments, disk, cache, out):
    """True: passed, False: failed, None: not run."""
    try:
        vmlinuz, release = fetch.kernel(cache, suite, package)
    except fetch.NotToBeHad as why:
        print(f"vm {label}: NOT RUN, the kernel is not to be had: {why}", flush=True)
        return None
    start = time.monotonic()
    arguments = arguments + [f"hp_attach={attach}"]
    status = boot(vmlinuz, disk, f"{out}/{label}", arguments)
    note = ""
    if status in (TIMED_OUT, NO_VERDICT) and "VM-BOOT" not in read(f"{out}/{label}/result.log"):
        # The tests had not begun: that is qemu's doing. After that, a panic or a hang is a finding.
        os.rename(f"{out}/{label}", f"{out}/{label}.first")
        note = f", second try after {status}"
        status = boot(vmlinuz, disk, f"{out}/{label}", arguments)
    if "VM-KERNEL-SPLAT" in read(f"{out}/{label}/result.log"):
        note += ", the kernel complained"
        status = status or 1
    word = "passed" if status == 0 else f"FAILED with {status}"
    report(label, release, f"{word} in {time.monotonic() - start:.0f} s{note}", f"{out}/{label}")
    return status == 0


def missing_tool():
    tools = (QEMU, "mke2fs", "debugfs", "/bin/busybox", "dpkg-deb", "apt-get", "gcc", "cp")
    return next((tool for tool in tools if not shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")), None)


def run_all(build, wanted, out):
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "hotpathd-vm")
    disk = f"{out}/disk"
    image.make(disk, build, out)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [pool.submit(one, *kernel, disk, cache, out) for kernel in kernels(wanted)]
        results = [run.result() for run in runs]
    os.unlink(disk)
    return results


def main():
    build, wanted = os.path.abspath(sys.argv[1]), sys.argv[2:]
    if not os.path.samefile(sys.executable, "/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])
    strict = os.environ.get("HP_VM_REQUIRED") == "1"
    tool = missing_tool()
    if tool:
        print(f"vm: NOT RUN, there is no {tool}")
        return 1 if strict else 77
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    out = tempfile.mkdtemp(prefix="hotpathd-vm-")
    results = run_all(build, wanted, out)
    passed, failed, gone = (results.count(value) for value in (True, False, None))
    print(f"vm: {passed} passed, {failed} failed, {gone} NOT RUN")
    if failed:
        return 1  # the logs stay
    shutil.rmtree(out, ignore_errors=True)
    if strict and gone:
        return 1
    return 0 if passed else 77


if __name__ == "__main__":
    sys.exit(main())
