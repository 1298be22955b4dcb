"""Debug files of stripped programs by build-id from the servers in DEBUGINFOD_URLS: at once where the server answers; where it
does not, nobody waits for it, and the names of CPU samples come later."""
import http.server
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403


class Server(http.server.ThreadingHTTPServer):
    """Serves one debug file once `gate` is open, 404 for all else; `asked` has the paths."""
    daemon_threads = True

    def __init__(self, build_id, content):
        super().__init__(("127.0.0.1", 0), Handler)
        self.build_id, self.content, self.asked, self.gate = build_id, content, [], threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def environment(self, cache):
        return {"DEBUGINFOD_URLS": f"http://127.0.0.1:{self.server_address[1]}/", "DEBUGINFOD_CACHE_PATH": cache, "no_proxy": "*"}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked.append(self.path)
        server.gate.wait(60)
        found = self.path == f"/buildid/{server.build_id}/debuginfo"
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(server.content) if found else 0))
        self.end_headers()
        if found:
            self.wfile.write(server.content)

    def log_message(self, *args):
        pass


def new_cache(folder, name):
    """An empty one, with the setting that the library would write at first use (and leak memory, which sanitizers report)."""
    cache = os.path.join(folder, name)
    os.mkdir(cache)
    with open(os.path.join(cache, "cache_clean_interval_s"), "w", encoding="ascii") as file:
        file.write("86400")
    return cache


def strip(name, folder):
    """A bare copy of a fixture, and a server for what it lacks, not yet answering."""
    whole, bare, debug = os.path.join(FIXTURES, name), os.path.join(folder, name + "_bare"), os.path.join(folder, name + ".debug")
    subprocess.run(["objcopy", "--strip-all", whole, bare], check=True)
    subprocess.run(["objcopy", "--only-keep-debug", whole, debug], check=True)
    notes = subprocess.run(["readelf", "-n", bare], capture_output=True, text=True, check=True).stdout
    match = re.search(r"Build ID: ([0-9a-f]+)", notes)
    expect(match, f"{bare} has no build-id: {notes}")
    with open(debug, "rb") as file:
        return bare, Server(match.group(1), file.read())


def notes_of(daemon):
    return " | ".join(daemon.status()["notes"])


def answered(folder):
    bare, server = strip("calls", folder)
    server.gate.set()
    cache = new_cache(folder, "cache_answered")
    fixture = Fixture(bare, 2, 3000)
    daemon = Daemon("--pid", fixture.pid, "--exact", "work_*", env=server.environment(cache))
    daemon.wait_ready()
    expect(f"names of calls_bare come from {cache}/" in notes_of(daemon), f"notes: {notes_of(daemon)}")
    wait_until(lambda: " 0 are on their way" in notes_of(daemon), what="an answer about all modules")
    expect("asked for (DEBUGINFOD_URLS): 1 came" in notes_of(daemon), f"notes: {notes_of(daemon)}")
    counted = fixture.run()
    daemon.settled()
    got = {name: entry["calls"] for name, entry in daemon.functions().items()}
    equal({name: got.get(name) for name in counted}, counted, "calls by the names of a debug file that a server had")
    daemon.stop()
    # What is in the cache needs no server, and without the variable nobody is asked.
    asked = len(server.asked)
    daemon = Daemon("--pid", fixture.pid, env={**server.environment(cache), "DEBUGINFOD_URLS": "http://127.0.0.1:9/"})
    daemon.wait_ready()
    expect(f"names of calls_bare come from {cache}/" in notes_of(daemon), f"notes: {notes_of(daemon)}")
    daemon.stop()
    daemon = Daemon("--pid", fixture.pid, env={**server.environment(cache), "DEBUGINFOD_URLS": ""})
    daemon.wait_ready()
    expect("DEBUGINFOD" not in notes_of(daemon) and "calls_bare" in notes_of(daemon), f"notes: {notes_of(daemon)}")
    daemon.stop()
    equal(len(server.asked), asked, "requests of daemons that have no need")
    fixture.finish()


def stalled(folder):
    bare, server = strip("cpusplit", folder)
    fixture = Fixture(bare)
    daemon = Daemon("--pid", fixture.pid, "--cpu-hz", 499, "--cpu-window", 2,
                    env=server.environment(new_cache(folder, "cache_stalled")))
    fixture.go()
    daemon.wait_ready()  # and the server has said nothing yet
    names = lambda: [row["name"] for row in daemon.get("/functions_cpu").get("report", {}).get("data", [])]  # noqa: E731
    wait_until(lambda: any(name.startswith("cpusplit_bare+") for name in names()), what="samples without names")
    expect("are on their way" in notes_of(daemon) and " 0 are on their way" not in notes_of(daemon), f"notes: {notes_of(daemon)}")
    server.gate.set()
    wait_until(lambda: {"burn_50", "burn_30", "burn_20"} <= set(names()), what="names of samples that came late")
    wait_until(lambda: not any(name.startswith("cpusplit_bare+") for name in names()), what="the end of nameless samples")
    expect("came late" in notes_of(daemon), f"notes: {notes_of(daemon)}")
    fixture.stop()
    daemon.stop()
    fixture.finish()


def foreign(folder):
    """A server that answers with another build's file, and with no ELF file at all."""
    bare, server = strip("durations", folder)
    with open(os.path.join(FIXTURES, "calls"), "rb") as file:
        other = file.read()
    for i, content in enumerate((other, b"\x7fELF" + b"\xff" * 5000, b"")):
        server.content = content
        server.gate.set()
        fixture = Fixture(bare)
        daemon = Daemon("--pid", fixture.pid, env=server.environment(new_cache(folder, f"cache_foreign{i}")))
        daemon.wait_ready()
        expect("names of durations_bare come from nowhere" in notes_of(daemon), f"notes: {notes_of(daemon)}")
        daemon.stop()
        fixture.finish()


def main():
    if subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout.find("libdebuginfod.so.1") < 0:
        skip("libdebuginfod.so.1 is not installed")
    folder = temp_dir()
    answered(folder)
    stalled(folder)
    foreign(folder)


run(main)
