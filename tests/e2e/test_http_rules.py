"""Status codes, snapshot rules, Host and Origin."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403
import socket


def main():
    fixture = Fixture("cpusplit")
    daemon = attach(fixture, "--domains", "cpu,threads", "--cpu-window", 3600)
    fixture.go()
    for path in ("/", "/nope", "/threads/", "/Threads", "/functions_timing/x/logs", "/functions_timing/-1/logs",
                 "/functions_timing/4294967296/logs", "/%74hreads"):
        equal(daemon.get(path, 404), {"error": "Not found"}, f"body of {path}")
    equal(daemon.get("/functions_timing/77/logs", 404), {"error": "Function with id 77 not found"}, "unknown id")
    for method in ("POST", "DELETE", "PUT", "OPTIONS"):
        equal(daemon.ask("/threads", method).status, 405, f"{method} /threads")
    equal(daemon.ask("/threads?x=1&y").status, 200, "unknown parameters of a reference route")
    for headers in ({"Host": "evil.example"}, {"Host": "localhost.evil.example:6770"}, {"Origin": "http://evil.example"},
                    {"Origin": "null"}):
        answer = daemon.ask("/threads", headers=headers)
        equal(answer.status, 403, f"status with {headers}")
        expect("error" in answer.json(), "403 without a text")
        equal(daemon.ask("/functions_cpu/snapshot", "POST", headers=headers).status, 403, f"snapshot with {headers}")
    for headers in ({"Host": "localhost:6770"}, {"Host": "[::1]"}, {"Host": "127.0.0.1", "Origin": "http://localhost:1"}):
        answer = daemon.ask("/threads", headers=headers)
        equal(answer.status, 200, f"status with {headers}")
        expect(not any(name.startswith("access-control") for name in answer.headers), "a CORS header")
    snapshot(daemon)
    loopback_only(daemon)
    daemon.stop()
    fixture.stop()
    fixture.finish()


def snapshot(daemon):
    answer = daemon.ask("/functions_cpu/snapshot")
    equal((answer.status, answer.json()), (405, {"error": "Method not allowed - use POST"}), "GET of the snapshot")
    before = daemon.get("/functions_cpu").get("captured_at_ms", 0)

    def cut():
        answer = daemon.ask("/functions_cpu/snapshot", "POST")
        equal((answer.status, answer.json()), (202, {"status": "capturing"}), "POST of the snapshot")
        return answer
    cut()
    after = wait_until(lambda: (lambda b: b["status"] == "ready" and b.get("captured_at_ms", 0) > before and b)(
        daemon.get("/functions_cpu")), 10, "the new report")
    expect(after["report"]["total_samples"] > 0, "a snapshot of a busy program without samples")
    # A burst: at least one is accepted, others may find one under way and are told so.
    codes = [daemon.ask("/functions_cpu/snapshot", "POST") for _ in range(20)]
    for answer in codes:
        expect(answer.status in (202, 409), f"snapshot answered {answer.status}")
        if answer.status == 409:
            equal(answer.json(), {"error": "Snapshot already in progress"}, "text of 409")
    expect(any(answer.status == 202 for answer in codes), "none of 20 snapshots was accepted")
    wait_until(lambda: daemon.get("/functions_cpu")["captured_at_ms"] > after["captured_at_ms"], 10, "one more report")


def loopback_only(daemon):
    """Listens on 127.0.0.1, not on all addresses."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        listeners = [line.split()[1] for line in file if line.split()[3] == "0A"]
    mine = [address for address in listeners if address.endswith(f":{daemon.port:04X}")]
    equal(mine, [f"0100007F:{daemon.port:04X}"], "listening addresses")
    with socket.create_connection(("127.0.0.1", daemon.port), 5) as idle:  # half-sent: blocks nobody
        idle.sendall(b"GET /thr")
        equal(daemon.ask("/threads").status, 200, "status beside a half-sent request")


run(main)
