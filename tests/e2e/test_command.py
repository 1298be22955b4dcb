"""-- CMD: profiled from its first instruction; its exit status becomes ours."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from harness import *  # noqa: E402,F403


def one(word, code):
    file = os.path.join(temp_dir(), "report.json")
    daemon = Daemon("--exact", "early_work", "--report", file, "--format", "json", "--", os.path.join(FIXTURES, "command"),
                    word, serving=False)
    equal(daemon.wait(), code, f"exit status of a program that ends with {word}, stderr {daemon.stderr()}")
    counted = parse(daemon.stdout_lines[0].encode())
    with open(file, "rb") as report:
        functions = {entry["name"]: entry["calls"] for entry in parse(report.read())["/functions_timing"]["data"]}
    equal(functions.get("early_work"), counted["early_work"], "calls, the constructor's included")
    check_session_empty(daemon)


def interrupted():
    """We end it: its program gets SIGTERM, is not left behind, and its status is ours."""
    daemon = Daemon("--", "/bin/sleep", "1000")
    daemon.wait_ready()
    daemon.send_signal(signal.SIGINT)
    equal(daemon.wait(), 128 + signal.SIGTERM, "exit status after SIGINT")
    check_session_empty(daemon)


def main():
    one("0", 0)
    one("7", 7)
    one("kill", 128 + signal.SIGKILL)
    interrupted()


run(main)
