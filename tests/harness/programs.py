"""Programs of the distribution under load, for tests that attach to what we did not write: each gives the pid to look at, and the
processes to kill afterwards, the load first."""
import contextlib
import glob
import os
import shutil
import socket
import subprocess

import harness


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            harness.skip(f"{program} is not installed")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def redis():
    need("redis-server", "redis-benchmark")
    port = free_port()
    server = harness.Process(["redis-server", "--port", str(port), "--save", "", "--dir", harness.temp_dir()])
    harness.wait_until(lambda: answers(port), what="redis-server")
    return server.pid, [server, harness.Process(["redis-benchmark", "-p", str(port), "-P", "16", "-q", "-t", "set", "-n", "1000000000"])]


def as_postgres(*command):
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]


def postgres():
    """One backend of a server of our own under pgbench."""
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
    if not programs:
        harness.skip("postgres is not installed")
    need("pgbench", "setpriv")
    folder, port = harness.temp_dir(), str(free_port())
    home = os.path.dirname(programs[-1])
    data = os.path.join(folder, "data")
    shutil.chown(folder, "postgres", "postgres")
    os.chmod(os.path.dirname(folder), 0o755)
    subprocess.run(as_postgres(os.path.join(home, "initdb"), "-D", data, "-A", "trust", "--no-sync"), check=True, capture_output=True,
                   cwd="/")
    server = harness.Process(as_postgres(os.path.join(home, "postgres"), "-D", data, "-p", port, "-k", folder, "-c", "fsync=off"))
    harness.wait_until(lambda: answers(int(port)), what="postgres")
    bench = ["pgbench", "-h", folder, "-p", port, "-U", "postgres", "postgres"]
    subprocess.run(bench + ["-i", "-q"], check=True, capture_output=True)
    load = harness.Process(bench + ["-S", "-T", "600", "-c", "1", "-n"])

    def backend():
        for pid in subprocess.run(["pgrep", "-P", str(server.pid)], capture_output=True, text=True, check=True).stdout.split():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # backends come and go
                with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
                    if "SELECT" in file.read():
                        return int(pid)
        return None
    return harness.wait_until(backend, what="a busy backend of postgres"), [load, server]


SQL = """select 'ready';
create table t(a integer primary key, b text, c integer);
insert into t select value, hex(randomblob(8)), random() from generate_series(1, 20000);
"""
QUERY = "select count(*), total(x.c), max(y.b) from t x join t y on y.a = (x.c & 16383) + 1 where x.b like '%A1%';\n"


def sqlite():
    need("sqlite3")
    script = os.path.join(harness.temp_dir(), "script.sql")
    with open(script, "w", encoding="ascii") as file:
        file.write(SQL + QUERY * 100000)
    shell = harness.Process(["sqlite3", ":memory:", f".read {script}"])
    harness.equal(shell.out.get(timeout=30), "ready", "first line of sqlite3")
    return shell.pid, [shell]


SCRIPT = """console.log("ready")
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) }
function deep(n, f) { return n ? deep(n - 1, f) : f() }
for (;;) { deep(20, () => fib(20)); JSON.parse(JSON.stringify([...Array(1000).keys()])); [3, 1, 2].sort((a, b) => a - b) }
"""


def node():
    need("node")
    server = harness.Process(["node", "-e", SCRIPT])
    harness.equal(server.out.get(timeout=30), "ready", "first line of node")  # before, it was not node yet, or half of it
    return server.pid, [server]


def git():
    """git writes a pack of objects that are not alike: zlib, hashing, sorting."""
    need("git")
    folder = harness.temp_dir()
    command = ["git", "-C", folder, "-c", "user.name=n", "-c", "user.email=e", "-c", "gc.auto=0"]
    subprocess.run(command + ["init", "-q"], check=True, capture_output=True)
    for i in range(400):
        with open(os.path.join(folder, f"file{i}"), "wb") as file:
            file.write(b"".join(b"%d %d\n" % (i * k, k) for k in range(20000)))
    subprocess.run(command + ["add", "-A"], check=True, capture_output=True)
    subprocess.run(command + ["commit", "-qm", "all"], check=True, capture_output=True)
    pack = ["-c", "pack.threads=1", "pack-objects", "--all", "--no-reuse-delta", "--no-reuse-object", "--window=250", "--stdout"]
    work = harness.Process(["sh", "-c", 'exec "$@" </dev/null >/dev/null', "sh", *command, *pack])

    def is_git():
        with open(f"/proc/{work.pid}/comm", encoding="ascii", errors="replace") as file:
            return file.read() == "git\n"
    harness.wait_until(is_git, what="git in place of the shell")
    return work.pid, [work]
