"""Requests and bytes of programs that we did not write, and of one in Rust, against a counter that is preloaded into the same run: within 0.1 %."""
import os
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403

COUNTER = os.path.join(FIXTURES, "liballoccount.so")
NAMES = ("requests", "bytes", "failed", "releases")

PYTHON = """
import json, sys
print("ready", flush=True)
sys.stdin.readline()
text = json.dumps([{"key": i, "text": "x" * (i % 997)} for i in range(20000)])
words = {str(i): json.loads(text[:0] or "{}") for i in range(20000)}
big = [bytearray(5000) for _ in range(2000)]
del big
print("done", flush=True)
sys.stdin.readline()
"""
NODE = """
process.stdout.write("ready\\n");
const lines = require("readline").createInterface({input: process.stdin});
lines.once("line", () => {
  const kept = [];
  for (let i = 0; i < 3000; i++) kept.push(Buffer.allocUnsafeSlow(20000 + i));
  process.stdout.write("done\\n");
  lines.once("line", () => process.exit(0));
});
"""
SQL = ["create table t(a integer primary key, b text);\n",
       "with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000) insert into t select i, hex(randomblob(100)) from n;\n",
       "select count(*), max(length(b)) from (select b from t order by b desc);\n"]


def counts(path):
    with open(path, "rb") as file:
        return dict(zip(NAMES, struct.unpack("4Q", file.read(32))))


def at_rest(path, daemon):
    """What both have counted at one moment: nothing was requested while they were asked."""
    def both():
        before, got = counts(path), daemon.get("/alloc")
        return counts(path) == before and (before, got)
    return wait_until(both, what="a moment without requests")


def compare(name, argv, work, ready):
    """@work: does it and waits for its end."""
    path = os.path.join(temp_dir(), f"counts_{name}")
    with open(path, "wb") as file:
        file.truncate(32)
    program = Process(argv, env={"LD_PRELOAD": COUNTER, "ALLOCCOUNT": path})
    ready(program)
    wait_until(lambda: counts(path)["requests"] > 0, what=f"the counter in {name}")
    daemon = Daemon("--pid", program.pid, "--domains", "alloc", "--overhead", 100)
    wait_until(lambda: daemon.get("/alloc")["mode"] in ("exact", "partial"), what="probes")
    before, start = at_rest(path, daemon)
    work(program)
    after, got = at_rest(path, daemon)
    wanted = {n: after[n] - before[n] for n in NAMES}
    expect(wanted["requests"] > 1000, f"{name} asked for memory {wanted['requests']} times only")
    for ours, theirs in (("requests", "requests"), ("requested_bytes", "bytes"), ("releases", "releases")):
        within(got[ours] - start[ours], wanted[theirs] * 0.999 - 2, wanted[theirs] * 1.001 + 2, f"{ours} of {name}, mode {got['mode']}")
    equal(got["failed"] - start["failed"], wanted["failed"], f"failed requests of {name}")
    print(name, wanted, "missed", got["missed"])
    expect(program.alive(), f"{name} is gone")
    daemon.stop()
    check_clean(program.pid)
    program.child.kill()
    program.close()


def line(program, text):
    program.child.stdin.write(text.encode())
    program.child.stdin.flush()


def by_lines(program):
    line(program, "go\n")
    wait_until(lambda: "done" in program.stdout_lines, limit=60, what="the end of the work")


def sqlite(program):
    for sql in SQL:
        line(program, sql)
    wait_until(lambda: any(text.startswith("20000|200") for text in program.stdout_lines), limit=60, what="the answer of sqlite3")


def redis():
    server = shutil.which("redis-server")
    port = 16379 + os.getpid() % 1000

    def load(_):
        subprocess.run([shutil.which("redis-benchmark"), "-p", str(port), "-q", "-t", "set,lpush,hset", "-n", "20000", "-r", "1000"],
                       check=True, stdout=subprocess.DEVNULL, timeout=120)
    compare("redis-server", [server, "--port", str(port), "--save", "", "--dir", temp_dir()], load,
            lambda p: wait_until(lambda: any("Ready to accept" in t for t in p.stdout_lines), what="redis-server"))


def rust():
    def work(program):
        line(program, "go\n")
        wait_until(lambda: any('"requests"' in text for text in program.stdout_lines), limit=60, what="the end of the work")
    compare("Rust", [os.path.join(FIXTURES, "entriesrust"), "4", "200"], work,
            lambda p: wait_until(lambda: any("ready" in t for t in p.stdout_lines), what="the program"))


def main():
    if not os.path.exists(COUNTER):
        skip("the counter was not built")

    def is_ready(program):
        wait_until(lambda: "ready" in program.stdout_lines, what="the program")
    compare("python3", [sys.executable, "-c", PYTHON], by_lines, is_ready)
    if os.path.exists(os.path.join(FIXTURES, "entriesrust")):
        rust()
    if shutil.which("sqlite3"):
        compare("sqlite3", [shutil.which("sqlite3")], sqlite, lambda p: None)
    if shutil.which("node"):
        compare("node", [shutil.which("node"), "-e", NODE], by_lines, is_ready)
    if shutil.which("redis-server"):
        redis()


run(main)
