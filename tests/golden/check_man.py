"""docs/hotpathd.8 must carry the option table that the program prints, and the sections that users look for."""
import difflib
import re
import subprocess
import sys

SECTIONS = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "ROUTES", "EXIT STATUS", "FILES", "SECURITY", "LIMITS",
            "EXAMPLES", "SEE ALSO"]
EXIT_CODES = ["0", "1", "2", "3", "4"]


def sections(page):
    """Name -> lines of each .SH section, in order."""
    found, lines = {}, None
    for line in page.splitlines():
        match = re.match(r'\.SH\s+"?([^"]*?)"?\s*$', line)
        if match:
            lines = found.setdefault(match.group(1).upper(), [])
        elif lines is not None:
            lines.append(line)
    return found


def main(program, page_file):
    with open(page_file, encoding="utf-8") as file:
        found = sections(file.read())
    printed = subprocess.run([program, "--man-options"], capture_output=True, text=True, check=True,
                             timeout=30).stdout
    # The heading may be part of the printed text.
    wanted = [line for line in printed.splitlines() if not re.match(r'\.SH\s+"?OPTIONS"?\s*$', line)]
    assert any("pid" in line for line in wanted), "--man-options prints no options"
    failures = [f"section {name} is missing" for name in SECTIONS if name not in found]

    def stripped(lines):
        return "\n".join(lines).strip("\n").splitlines()

    diff = list(difflib.unified_diff(stripped(found.get("OPTIONS", [])), stripped(wanted), "hotpathd.8",
                                     "hotpathd --man-options", lineterm=""))
    if diff:
        failures.append("the OPTIONS section is not what hotpathd --man-options prints:\n" + "\n".join(diff))
    status = "\n".join(found.get("EXIT STATUS", []))
    failures += [f"EXIT STATUS does not explain {code}" for code in EXIT_CODES
                 if not re.search(rf"(?<!\d){code}(?!\d)", status)]
    for failure in failures:
        print(failure)
    return bool(failures)


sys.exit(main(*sys.argv[1:]))
