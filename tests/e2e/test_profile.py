"""Profiles in every format say what the target did; windows of the past, differences, recording from now on."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403
import gzip
import http.client
import shutil
import subprocess
import threading
import time

import formats
import schema

WAITS = 8  # requests that may record at once


def shares(stacks):
    """Percent of the weight by leaf, and what is below run()."""
    total = sum(stacks.values())
    expect(total, "no samples")
    found = {}
    for stack, weight in stacks.items():
        names = stack.split(";")
        found[names[-1]] = found.get(names[-1], 0) + 100 * weight / total
        if "run" in names:
            found["under run"] = found.get("under run", 0) + 100 * weight / total
    return found


def check_shares(stacks, what, tolerance=6):
    found = shares(stacks)
    for name, share in (("burn_50", 50), ("burn_30", 30), ("burn_20", 20)):
        within(found.get(name, 0), share - tolerance, share + tolerance, f"share of {name} in {what}")
    within(found["under run"], 98, 100.001, f"share below run() in {what}")


def ask(daemon, path, kind, encoding=None):
    answer = daemon.ask(path, headers={"Accept-Encoding": encoding} if encoding else {})
    equal(answer.status, 200, f"status of {path}, body {answer.body[:200]!r}")
    equal(answer.headers["content-type"], kind, f"content type of {path}")
    equal(answer.headers.get("content-encoding"), "gzip" if encoding == "gzip" else None, f"encoding of {path}")
    return gzip.decompress(answer.body) if encoding == "gzip" else answer.body


def check_formats(daemon):
    text, data = "text/plain; charset=utf-8", "application/json"
    check_shares(formats.folded(ask(daemon, "/profile", text).decode()), "folded")
    check_shares(formats.folded(ask(daemon, "/profile?format=folded", text, "gzip").decode()), "folded, compressed")
    check_shares(formats.speedscope(parse(ask(daemon, "/profile?format=speedscope", data, "gzip"))), "speedscope")
    check_shares(formats.firefox(parse(ask(daemon, "/profile?format=firefox", data))), "firefox")
    stacks, types = formats.pprof(ask(daemon, "/profile?format=pprof", "application/octet-stream"))
    check_shares(stacks, "pprof")
    equal(types, [("samples", "count"), ("cpu", "nanoseconds")], "sample types")
    body = parse(ask(daemon, "/profile?format=json", data))
    schema.check("GET", "/profile?format=json", 200, body)
    check_shares(formats.tree(body), "json")
    equal(sum(body["stack_ends"].values()), body["samples"], "samples by the end of their stacks")
    equal(sum(thread["samples"] for thread in body["threads"]), body["samples"], "samples by thread")
    equal(body["weight_ns"], body["samples"] * (10 ** 9 // body["sample_hz"]), "weight")
    thread = body["threads"][0]
    one = parse(ask(daemon, f"/profile?format=json&thread={thread['tid']}", data))
    within(one["samples"], thread["samples"], thread["samples"] + 2000, "samples of the thread alone")
    equal(parse(ask(daemon, "/profile?format=json&thread=1", data))["samples"], 0, "samples of a foreign thread")


def check_refusals(daemon):
    for path in ("/profile?seconds=0", "/profile?seconds=5&window=5", "/profile?format=svg", "/profile?type=gpu", "/profile?window=601",
                 "/profile?thread=x", "/debug/pprof/profile?seconds=x", "/profile/diff", "/profile/diff?a=5", "/profile/diff?a=5&b=5-5"):
        schema.check("GET", path, 400, daemon.get(path, 400))
    for path in ("/profile?type=wall", "/profile?type=offcpu"):
        answer = daemon.ask(path)
        expect(answer.status in (200, 404), f"status of {path}: {answer.status}")
        if answer.status == 404:
            schema.check("GET", path, 404, answer.json())
    equal(daemon.ask("/profile", method="POST").status, 405, "status of a POST")


def check_diff(daemon):
    stacks = formats.folded(ask(daemon, "/profile/diff?a=4-2&b=2", "text/plain; charset=utf-8").decode(), 2)
    for side in (0, 1):
        check_shares({stack: counts[side] for stack, counts in stacks.items()}, f"side {side} of the difference", 15)
    body = daemon.get("/profile/diff?a=4-2&b=2&format=json")
    schema.check("GET", "/profile/diff?a=4-2&b=2&format=json", 200, body)
    rows = {row["name"]: row for row in body["functions"]}
    within(rows["run"]["total_percent_a"], 98, 100.001, "total of run()")
    for row in body["functions"]:
        within(row["self_points"] - (row["self_percent_b"] - row["self_percent_a"]), -1e-6, 1e-6, "points of " + row["name"])
    within(sum(row["self_percent_b"] for row in body["functions"]), 99, 100.001, "sum of self")


def check_recording(daemon, hz):
    start = time.monotonic()
    body = parse(ask(daemon, "/profile?seconds=2&format=json", "application/json"))
    within(time.monotonic() - start, 2, 8, "time that a recording of 2 s took")
    schema.check("GET", "/profile?seconds=2&format=json", 200, body)
    # The slices are cut for it: 2 s of the past and the future would be 1 to 3 s long.
    within(body["duration_ns"], 1.99e9, 2.5e9, "length of the recording")
    within(body["samples"], 0.5 * 2 * hz, 1.2 * body["duration_ns"] / 1e9 * hz, "samples of one busy thread in it")


def check_go(daemon):
    if not shutil.which("go"):
        print("go is not installed: go tool pprof was not tried")
        return
    home = temp_dir()
    out = subprocess.run(["go", "tool", "pprof", "-top", f"http://127.0.0.1:{daemon.port}/debug/pprof/profile?seconds=2"], timeout=120,
                         check=False, capture_output=True, text=True, env={**os.environ, "HOME": home, "PPROF_TMPDIR": home})
    equal(out.returncode, 0, f"go tool pprof: {out.stderr}")
    rows = {line.split()[-1]: line.split() for line in out.stdout.splitlines() if line.endswith(("burn_50", "burn_30", "burn_20", " run"))}
    within(float(rows["burn_50"][1].rstrip("%")), 38, 62, "flat % of burn_50")
    within(float(rows["run"][4].rstrip("%")), 98, 100, "cum % of run")
    expect("Type: cpu" in out.stdout, out.stdout[:300])


class Recording(threading.Thread):
    """A request that waits, on a connection of its own."""

    def __init__(self, daemon, path):
        super().__init__(daemon=True)
        self.path, self.answer = path, None
        self.connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=90)
        self.connection.request("GET", path)
        self.start()

    def run(self):
        response = self.connection.getresponse()
        self.answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        self.connection.close()

    def finish(self):
        self.join(60)
        expect(self.answer, f"{self.path} was not answered")
        return self.answer


def check_waiting(daemon, end):
    recordings = [Recording(daemon, "/profile?seconds=500&format=json") for _ in range(WAITS + 1)]
    refused = wait_until(lambda: next((r for r in recordings if r.answer), None), 30, "the recording that is too many")
    recordings.remove(refused)
    for answer in (refused.answer, daemon.ask("/debug/pprof/profile")):
        equal(answer.status, 429, f"status of a recording that is too many, body {answer.body[:200]!r}")
        expect(int(answer.headers["retry-after"]) > 0, "429 without Retry-After")
        schema.check("GET", "/profile?seconds=1", 429, answer.json())
    expect(not any(recording.answer for recording in recordings), "more than one recording of nine was refused")
    start = time.monotonic()
    daemon.status()  # others are served
    check_shares(formats.folded(daemon.ask("/profile?window=60").body.decode()), "a window read meanwhile", tolerance=16)  # of some 150 samples
    expect(time.monotonic() - start < 5, "requests that do not wait took long")
    end()
    for recording in recordings:
        answer = recording.finish()
        equal(answer.status, 200, f"status of a recording that ended early, body {answer.body[:200]!r}")
        schema.check("GET", recording.path, 200, answer.json())
        expect(answer.json()["samples"] > 0, "a recording that ended early is empty")


def formats_and_target_exit():
    hz = 499
    fixture = Fixture("cpusplit")
    daemon = attach(fixture, "--domains", "cpu", "--cpu-hz", hz)
    check_refusals(daemon)
    fixture.go()
    check_recording(daemon, hz)
    wait_until(lambda: daemon.get("/profile?format=json")["samples"] > 5 * hz, 60, "5 seconds of samples")
    check_formats(daemon)
    check_diff(daemon)
    check_go(daemon)

    def end():
        fixture.stop()
        fixture.finish()
    check_waiting(daemon, end)
    equal(daemon.wait(), 0, f"exit status, stderr: {daemon.stderr()}")


def stop_while_recording():
    fixture = Fixture("cpusplit")
    daemon = attach(fixture, "--domains", "cpu", "--cpu-hz", 199)
    fixture.go()
    wait_until(lambda: daemon.get("/profile?format=json")["samples"] > 100, 60, "samples")
    check_waiting(daemon, daemon.stop)
    fixture.stop()
    fixture.finish()


def with_domain_off():
    fixture = Fixture("cpusplit")
    daemon = attach(fixture, "--domains", "threads")
    for path in ("/profile", "/profile?seconds=1", "/debug/pprof/profile", "/profile/diff?a=5&b=4"):
        schema.check("GET", path, 404, daemon.get(path, 404))
    daemon.stop()
    fixture.finish()


def main():
    formats_and_target_exit()
    stop_while_recording()
    with_domain_off()


run(main)
