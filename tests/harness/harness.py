"""Starts fixtures and the daemon, asks its HTTP API, and insists that nothing is left behind.

Each test file calls run(main). Environment: HP_DAEMON (the program), HP_FIXTURES (folder of the fixtures).
"""
import http.client
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build", "dev")
DAEMON = os.environ.get("HP_DAEMON", os.path.join(BUILD, "hotpathd"))
FIXTURES = os.environ.get("HP_FIXTURES", os.path.join(BUILD, "fixtures"))
SKIPPED = 77
OPTIONAL = ("rustfix", "gofix", "gocount", "gocount_stripped", "goserver", "valuesrust",
            "valuesrust_debug")  # fixtures whose compiler need not be installed
DEADLINE = 30.0  # seconds; generous, since the machine is shared and the daemon carries sanitizers

_open = []  # processes to end, newest last


class Skip(Exception):
    """This machine lacks what the test needs."""


def skip(reason):
    raise Skip(reason)


def expect(condition, text):
    """An assertion that also holds under python -O and says what was found."""
    if not condition:
        raise AssertionError(text)


def equal(got, wanted, what):
    expect(got == wanted, f"{what}: got {got!r}, not {wanted!r}")


def within(got, low, high, what):
    expect(low <= got <= high, f"{what}: {got!r} is not in {low!r} ... {high!r}")


def wait_until(condition, limit=DEADLINE, what="the condition"):
    """Polls; returns the first true value. The pause only paces the polling."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come within {limit} s")
        time.sleep(0.02)


class Process:
    """A child with its own session, line-wise stdout and collected stderr."""

    def __init__(self, argv, env=None, cwd=None):
        self.argv = argv
        self.child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      start_new_session=True, cwd=cwd, env={**os.environ, **(env or {})})
        self.pid = self.child.pid
        self.out, self.err = queue.Queue(), []
        self.stdout_lines = []
        self.threads = [threading.Thread(target=self._read_out, daemon=True),
                        threading.Thread(target=self._read_err, daemon=True)]
        for thread in self.threads:
            thread.start()
        _open.append(self)

    def _read_out(self):
        for line in self.child.stdout:
            text = line.decode("utf-8", "surrogateescape").rstrip("\n")
            self.stdout_lines.append(text)
            self.out.put(text)
        self.out.put(None)

    def _read_err(self):
        for line in self.child.stderr:
            self.err.append(line.decode("utf-8", "replace").rstrip("\n"))

    def stderr(self):
        return "\n".join(self.err)

    def alive(self):
        return self.child.poll() is None

    def wait(self, limit=DEADLINE):
        try:
            code = self.child.wait(limit)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.argv} did not end within {limit} s; stderr: {self.stderr()}") from None
        for thread in self.threads:
            thread.join(5)
        return code

    def close(self):
        if self.child.stdin and not self.child.stdin.closed:
            try:
                self.child.stdin.close()
            except BrokenPipeError:
                pass
        if self.alive():
            try:
                self.child.wait(2)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


class Fixture(Process):
    """A program of tests/fixtures: ready, then "go", "stop" and a JSON line of what it counted."""

    def __init__(self, name, *args, env=None):
        path = os.path.join(FIXTURES, name)
        if name in OPTIONAL and not os.path.exists(path):
            skip(f"fixture {name} was not built: its compiler is not installed")
        super().__init__([path, *map(str, args)], env=env)
        self.path = path
        equal(self.result(), {"ready": True}, f"first line of {name}")

    def send(self, word):
        self.child.stdin.write(word.encode() + b"\n")
        self.child.stdin.flush()

    def result(self, limit=120):
        try:
            line = self.out.get(timeout=limit)
        except queue.Empty:
            raise AssertionError(f"{self.argv} printed nothing for {limit} s") from None
        if line is None:
            raise AssertionError(f"{self.argv} ended ({self.child.wait()}): {self.stderr()}")
        return json.loads(line)

    def go(self):
        self.send("go")

    def run(self):
        """For fixtures with a given amount of work."""
        self.go()
        return self.result()

    def stop(self):
        self.send("stop")
        return self.result()

    def finish(self):
        """The program must end by itself, unharmed: at "exit", or at the end of its input wherever it waits."""
        self.send("exit")
        self.child.stdin.close()
        equal(self.wait(), 0, f"exit status of {self.argv}")


def _no_duplicates(pairs):
    keys = [key for key, _ in pairs]
    expect(len(keys) == len(set(keys)), f"a key stands twice in an answer: {keys}")
    return dict(pairs)


def _no_constant(name):
    raise AssertionError(f"{name} in an answer is not JSON")


def parse(body):
    """Strict: UTF-8, no NaN, no duplicate keys."""
    return json.loads(body.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=_no_constant)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return parse(self.body)


class Daemon(Process):
    """hotpathd on a free port. Waits until it serves, unless serving=False.

    patience: for how many seconds get() asks again where the answer is "too busy". On this machine that answer is a finding."""
    patience = 0.0
    asked_again = 0

    def __init__(self, *args, serving=True, env=None, cwd=None, prefix=()):
        if not os.path.exists(DAEMON):
            raise AssertionError(f"{DAEMON} is not built")
        args = list(map(str, args))
        if "--port" not in args:
            args = ["--port", "0", *args]
        # What the daemon prints must not depend on the terminal of whoever runs the tests.
        super().__init__([*prefix, DAEMON, *args], env={"COLUMNS": "80", **(env or {})}, cwd=cwd)
        self.port = None
        if serving:
            self.port = wait_until(self._served, what=f"the address of {self.argv}")

    def _served(self):
        for line in list(self.err):
            match = re.fullmatch(r"hotpathd: serving http://(?:127\.0\.0\.1|\[::1\]|localhost):(\d+) \(pid \d+\)", line)
            if match:
                return int(match.group(1))
        expect(self.alive(), f"{self.argv} ended with {self.child.poll()}: {self.stderr()}")
        return None

    def ask(self, path, method="GET", headers=None, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10 + self.patience)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def get(self, path, status=200):
        end = time.monotonic() + self.patience
        answer = self.ask(path)
        while answer.status == 503 != status and time.monotonic() < end:
            Daemon.asked_again += 1
            time.sleep(float(answer.headers["retry-after"]))
            answer = self.ask(path)
        equal(answer.status, status, f"status of {path}, body {answer.body[:300]!r}")
        return answer.json()

    def status(self):
        return self.get("/profiler_status")

    def wait_ready(self, limit=DEADLINE):
        """Everything planned is attached."""
        return wait_until(lambda: (lambda s: s["state"] == "ready" and s)(self.status()), limit, "state ready")

    def functions(self):
        """Name -> entry with numbers."""
        return {entry["name"]: entry for entry in self.get("/functions_timing?raw=1")["data"]}

    def settled(self):
        """Status once all records in the rings were read."""
        return wait_until(lambda: (lambda s: s["records"]["produced"] == s["records"]["consumed"] + s["records"]["lost"]
                                   and s)(self.status()), what="produced = consumed + lost")

    def send_signal(self, number):
        os.kill(self.pid, number)

    def stop(self, number=signal.SIGINT, code=0):
        """Ends it the polite way; returns nothing but insists on the exit status."""
        self.send_signal(number)
        equal(self.wait(), code, f"exit status of {self.argv}, stderr: {self.stderr()}")
        check_session_empty(self)


def run_daemon(*args, **kwargs):
    """Runs it to its end: exit status, stdout lines, stderr text."""
    daemon = Daemon(*args, serving=False, **kwargs)
    daemon.child.stdin.close()
    code = daemon.wait(60)
    return code, daemon.stdout_lines, daemon.stderr()


def attach(fixture, *args, ready=True):
    daemon = Daemon("--pid", fixture.pid, *args)
    if ready:
        daemon.wait_ready()
    return daemon


def _sessions():
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:
                fields = file.read().rsplit(b")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] not in (b"Z", b"X"):
            yield int(entry), int(fields[3])


def check_session_empty(process):
    """No process that it started is left."""
    def left():
        return [pid for pid, session in _sessions() if session == process.pid]
    wait_until(lambda: not left(), 5, f"the end of what {process.argv} started")


def _file_maps(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            fields = line.split(None, 5)
            if len(fields) == 6 and fields[1][2] == "x" and fields[5].startswith("/"):
                start, end = (int(part, 16) for part in fields[0].split("-"))
                yield start, end, int(fields[2], 16), fields[5].rstrip("\n")


def changed_text(pid):
    """(file, offset) of every byte of code that differs from its file: breakpoints, as long as there are any."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, offset, path in _file_maps(pid):
            try:
                with open(f"/proc/{pid}/map_files/{start:x}-{end:x}", "rb") as file:
                    file.seek(offset)
                    wanted = file.read(end - start)
                memory.seek(start)
                got = memory.read(end - start)
            except OSError:
                continue
            if got[:len(wanted)] != wanted:
                found += [(path, offset + i) for i, (a, b) in enumerate(zip(got, wanted)) if a != b]
    return found


def links(pid, kind):
    """How many BPF links of @kind, as the kernel calls it, a process holds."""
    found = 0
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as file:
                found += f"link_type:\t{kind}\n" in file.read()
        except FileNotFoundError:  # closed meanwhile
            continue
    return found


def check_clean(pid):
    """No breakpoint is left in the target's memory; the kernel may take a moment after a kill."""
    wait_until(lambda: not changed_text(pid), 10, f"the last breakpoint to leave process {pid}")


def temp_dir():
    path = tempfile.mkdtemp(prefix="hotpathd-test-")
    _dirs.append(path)
    return path


_dirs = []


def clean_up():
    for process in reversed(_open):
        process.close()
    for path in _dirs:
        shutil.rmtree(path, ignore_errors=True)
    _open.clear()
    _dirs.clear()


def run(main):
    """Runs a test: 0 passed, 1 failed, 77 skipped. With CI=true a skip is a failure: there everything is installed."""
    code = 0
    try:
        if os.geteuid() != 0:
            skip("needs root")
        main()
    except Skip as why:
        print(f"SKIP: {why}")
        code = 1 if os.environ.get("CI") == "true" else SKIPPED
    except BaseException:  # also an interrupt: processes must be ended
        traceback.print_exc()
        code = 1
        for process in _open:
            print(f"--- {process.argv[0]} stderr:\n{process.stderr()}", file=sys.stderr)
    finally:
        clean_up()
    sys.exit(code)
