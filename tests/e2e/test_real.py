"""redis-server, nginx and python3 of the distribution under load: they survive attaching, load, detaching and many cycles.

python3 test_real.py [redis|nginx|python] [SECONDS]: seconds of load per program, default 8.
"""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403
from programs import answers, free_port, need  # noqa: E402

WHICH = sys.argv[1] if len(sys.argv) > 1 else "redis"
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 8
CYCLES = 100 if WHICH == "redis" else 40  # each of them reads the whole program anew


def redis():
    need("redis-server", "redis-benchmark", "redis-cli")
    port, folder = free_port(), temp_dir()
    server = Process(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder])
    wait_until(lambda: answers(port), what="redis-server")

    def load():
        return Process(["redis-benchmark", "-h", "127.0.0.1", "-p", str(port), "-t", "set,get", "-n", "100000000", "-q"])

    def commands():
        out = subprocess.run(["redis-cli", "-p", str(port), "info", "stats"], capture_output=True, text=True, check=True).stdout
        return int(re.search(r"total_commands_processed:(\d+)", out).group(1))
    return server, server.pid, load, commands, "redis-server"


NGINX_CONF = """daemon off; worker_processes 1; error_log stderr; pid {folder}/pid;
events {{ worker_connections 256; }}
http {{ access_log off; client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
server {{ listen 127.0.0.1:{port}; location / {{ return 200 "hello"; }} location /count {{ stub_status; }} }} }}
"""


def nginx():
    need("nginx", "wrk")
    port, folder = free_port(), temp_dir()
    with open(os.path.join(folder, "nginx.conf"), "w", encoding="ascii") as file:
        file.write(NGINX_CONF.format(folder=folder, port=port))
    server = Process(["nginx", "-p", folder, "-c", os.path.join(folder, "nginx.conf")])
    wait_until(lambda: answers(port), what="nginx")
    with open(f"/proc/{server.pid}/task/{server.pid}/children", encoding="ascii") as file:
        worker = int(file.read().split()[0])

    def load():
        return Process(["wrk", "-t1", "-c8", "-d600s", f"http://127.0.0.1:{port}/"])

    def requests():
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            connection.sendall(b"GET /count HTTP/1.0\r\n\r\n")
            body = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
        return int(re.search(r"\n\s*\d+ \d+ (\d+)", body).group(1))
    return server, worker, load, requests, "nginx"


SCRIPT = """
import hashlib, json, sys, threading
done = 0
def work():
    global done
    while True:
        text = json.dumps({"n": done, "list": list(range(50))})
        assert json.loads(text)["list"][7] == 7
        hashlib.sha256(text.encode()).hexdigest()
        done += 1
threading.Thread(target=work, daemon=True).start()
for line in sys.stdin:
    print(done, flush=True)
"""


def python():
    server = Process(["/usr/bin/python3", "-I", "-c", SCRIPT])

    def rounds():
        server.child.stdin.write(b"\n")
        server.child.stdin.flush()
        return int(server.out.get(timeout=30))
    rounds()
    return server, server.pid, lambda: None, rounds, "python3"


def progress(work, what):
    before = work()
    wait_until(lambda: work() > before, 20, f"progress of {what}")


def check_figures(daemon, pid, comm):
    status = daemon.status()
    equal(status["domains"], {"threads": "active", "cpu": "active", "functions": "active",
                              "offcpu": "off unless --domains names it", "timeline": "active",
                              "alloc": "off unless --domains names it"}, f"domains of {comm}")
    expect(status["probes"]["attached"] + status["probes"]["skipped"] + status["probes"]["dropped"] <= status["probes"]["planned"] + 1,
           f"probes {status['probes']}")
    threads = daemon.get("/threads?raw=1")["data"]
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    wanted = (int(fields[11]) + int(fields[12])) * 1e9 / os.sysconf("SC_CLK_TCK")
    # /proc was read after the daemon's reading of up to a quarter of a second ago, on two CPUs.
    within(sum(thread["cpu_ns"] for thread in threads), wanted - 0.7e9, wanted + 0.1e9, f"CPU time of {comm}")
    cpu = daemon.get("/functions_cpu")
    equal(cpu["status"], "ready", f"functions_cpu of {comm}")
    report = cpu["report"]
    seconds = report["total_elapsed_ns"] / 1e9
    within(report["total_samples"], 1, 99 * seconds * 2 * 1.2 + 5, f"samples of {comm} in {seconds} s")
    expect(report["data"] and all(row["name"] for row in report["data"]), f"CPU rows of {comm}")
    elapsed = daemon.get("/functions_timing?raw=1")
    for entry in elapsed["data"]:
        expect(entry["calls"] > 0, f"an entry without calls: {entry}")
        expect(entry["min_ns"] <= entry["avg_ns"] <= entry["max_ns"], f"min, avg, max of {entry}")


def main():
    server, pid, load, work, comm = {"redis": redis, "nginx": nginx, "python": python}[WHICH]()
    driver = load()
    progress(work, comm)
    daemon = Daemon("--pid", pid, "--cpu-window", 2)
    daemon.wait_ready()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        progress(work, comm)
        daemon.get("/threads")
        time.sleep(0.2)  # paces the load phase
    check_figures(daemon, pid, comm)
    daemon.stop()
    check_clean(pid)
    progress(work, comm)
    for i in range(CYCLES):
        short = Daemon("--pid", pid, "--duration", "0.1")
        if i % 10 == 9:  # some of them die hard
            short.send_signal(signal.SIGKILL)
            short.wait()
        else:
            equal(short.wait(), 0, f"exit status in cycle {i}, stderr {short.stderr()}")
        expect(os.path.exists(f"/proc/{pid}") and server.alive(), f"{comm} died in cycle {i}")
    check_clean(pid)
    progress(work, comm)
    if driver:
        driver.child.kill()
        driver.wait()
    server.child.terminate()
    server.wait()


run(main)
