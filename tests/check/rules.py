"""The house rules that a script can check; each function takes the root of a tree and yields its findings,
one "path:line: sentence" each. test_rules.py shows that each sees what it is for.
"""
import os
import re
import subprocess

GENERATED = {"bpf/vmlinux.h"}  # laid out like the kernel's own types, not like our code
LAYERS = ["base", "format", "elf", "target", "probe", "engine", "domains", "http", "daemon"]
# What a layer may include besides itself (userspace/CMakeLists.txt links the same).
BELOW = {
    "base": set(), "format": {"base"}, "elf": {"base"}, "target": {"base", "elf"},
    "probe": {"base", "format", "elf", "target"},
    "engine": {"base", "format", "elf", "target", "probe"},
    "domains": {"base", "format", "elf", "target", "probe", "engine"},
    "http": {"base", "format", "elf", "target", "probe", "engine", "domains"},
    "daemon": set(LAYERS),
}
# "About" 400 and 60; tests are mostly tables of cases and may be longer.
FILE_LINES, TEST_FILE_LINES, FUNCTION_LINES = 450, 550, 66


def files(root, *suffixes, under=""):
    """Paths of the tree's own files, relative to @root."""
    listed = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard", "--", under or "."],
                            capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stdout.split("\n")
    return sorted({path for path in listed if path.endswith(suffixes) and path not in GENERATED
                   and os.path.isfile(os.path.join(root, path))})


def lines(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read().split("\n")


def layout(root):
    """Rule 1: clang-format decides."""
    paths = files(root, ".c", ".h")
    if not paths:
        return
    done = subprocess.run(["clang-format", "--dry-run", "--Werror", "--style=file"] + paths, cwd=root,
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)
    for line in done.stderr.split("\n"):
        if ": error: " in line or (done.returncode and "clang-format:" in line):
            yield line.replace("code should be clang-formatted", "not as clang-format lays it out")


def length(root):
    """Rule 3: about 400 lines a file, about 60 a function."""
    for path in files(root, ".c", ".h"):
        text = lines(root, path)
        limit = TEST_FILE_LINES if path.startswith("tests/") else FILE_LINES
        if len(text) - 1 > limit:
            yield f"{path}:{len(text) - 1}: more than {limit} lines: find the missing noun"
        start = None
        for number, line in enumerate(text, 1):
            if line.startswith("{"):
                start = number
            elif line.startswith("}") and start:
                if number - start - 1 > FUNCTION_LINES:
                    yield f"{path}:{start}: a function of {number - start - 1} lines"
                start = None


def layers(root):
    """Rule 4: a layer includes only downwards."""
    for path in files(root, ".c", ".h", under="userspace"):
        layer = path.split("/")[1]
        for number, line in enumerate(lines(root, path), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match or "/" not in match[1]:
                continue
            other = match[1].split("/")[0]
            if other in LAYERS and other != layer and other not in BELOW.get(layer, set()):
                yield f"{path}:{number}: layer {layer} includes {match[1]} of a layer above or beside it"


def headers(root):
    """Rule 5: #pragma once, and a source includes its own header first."""
    for path in files(root, ".h"):
        code = [line for line in lines(root, path) if line.strip() and not line.startswith(("/*", " *"))]
        if "#pragma once" not in code[:1]:
            yield f"{path}:1: does not begin with #pragma once"
    for path in files(root, ".c", under="userspace"):
        own = path[len("userspace/"):-2] + ".h"
        if not os.path.exists(os.path.join(root, "userspace", own)):
            continue
        first = next((line for line in lines(root, path) if line.startswith("#include")), "")
        if first != f'#include "{own}"':
            yield f"{path}:1: does not include its own header \"{own}\" first"


def headers_alone(root, compiler="gcc"):
    """Rule 5: each header compiles alone (those for BPF programs need its compiler and are left out)."""
    for path in files(root, ".h", under="userspace") + files(root, ".h", under="include"):
        done = subprocess.run([compiler, "-std=gnu17", "-D_GNU_SOURCE", "-Iinclude", "-Iuserspace", "-fsyntax-only",
                               "-include", path, "-x", "c", os.devnull], cwd=root, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            error = next(line for line in done.stderr.splitlines() if "error: " in line)
            yield f"{path}:1: does not compile alone: {error}"


def abi(root):
    """Rule 19: fixed-width kernel types, and a size asserted for each struct that has one on both sides."""
    for path in files(root, ".h", under="include/hotpathd/abi"):
        text = "\n".join(lines(root, path))
        if path.endswith("/types.h"):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if re.search(r"\b(u?int(8|16|32|64)_t|size_t|long)\b", line.split("/*")[0]) or "<stdint.h>" in line:
                yield f"{path}:{number}: not one of the __u32 family"
        for match in re.finditer(r"^struct (\w+) \{", text, re.M):
            if f"HP_ABI_SIZE(struct {match[1]}," not in text:
                number = text[:match.start()].count("\n") + 1
                yield f"{path}:{number}: the size of struct {match[1]} is not asserted (HP_ABI_SIZE)"


def kernel_versions(root):
    """Rule 20: kernel differences are probed; a release number is read in kfeat.c and in preflight.c (U9 only)."""
    allowed = {"userspace/probe/kfeat.c", "userspace/target/preflight.c"}
    for path in files(root, ".c", ".h", under="userspace") + files(root, ".c", ".h", under="bpf"):
        for number, line in enumerate(lines(root, path), 1):
            if re.search(r"\buname\(|LINUX_KERNEL_VERSION|LINUX_VERSION_CODE|KERNEL_VERSION\(", line) and \
                    path not in allowed:
                yield f"{path}:{number}: asks for the kernel's version: probe for the feature in kfeat.c"


def domains(root):
    """Rule 15: a line in domains.def has its ABI header, BPF object and folder, and no slice lacks its line."""
    text = "\n".join(lines(root, "include/hotpathd/domains.def"))
    names = re.findall(r"^HP_DOMAIN\((\w+)\)", text, re.M)
    for name in names:
        for path in (f"include/hotpathd/abi/{name}.h", f"bpf/{name}.bpf.c", f"userspace/domains/{name}"):
            if not os.path.exists(os.path.join(root, path)):
                yield f"include/hotpathd/domains.def:1: domain {name} has no {path}"
    folder = os.path.join(root, "userspace/domains")
    for name in sorted(os.listdir(folder)):
        if os.path.isdir(os.path.join(folder, name)) and name not in names:
            yield f"userspace/domains/{name}:1: no line in domains.def"


def traps(root):
    """A trap that the code names (trap:U2) is named by a test, too, and the other way round."""
    def tags(under):
        found = {}
        for path in files(root, ".c", ".h", ".py", ".cpp", ".go", ".rs", under=under):
            if path.startswith("tests/check/"):
                continue
            for number, line in enumerate(lines(root, path), 1):
                for tag in re.findall(r"trap:([A-Z]\d+)", line):
                    found.setdefault(tag, f"{path}:{number}")
        return found

    code = {**tags("include"), **tags("bpf"), **tags("userspace")}
    tests = tags("tests")
    for tag in sorted(set(code) - set(tests)):
        yield f"{code[tag]}: trap:{tag} is handled here, but no test names it"
    for tag in sorted(set(tests) - set(code)):
        yield f"{tests[tag]}: trap:{tag} is tested here, but no code names it"


def tests_mirror(root):
    """Rule 24: a test of layer L, noun N is tests/unit/L/test_N.c; so L must exist. A fuzzer has its corpus."""
    for path in files(root, ".c", under="tests/unit"):
        if path.split("/")[2] not in LAYERS:
            yield f"{path}:1: there is no layer {path.split('/')[2]}"
    for path in files(root, ".c", under="tests/fuzz"):
        name = os.path.basename(path)[:-2]
        corpus = os.path.join(root, "tests/fuzz/corpus", name)
        if name.startswith("fuzz_") and not (os.path.isdir(corpus) and os.listdir(corpus)):
            yield f"{path}:1: has no corpus in tests/fuzz/corpus/{name}"


def unfinished(root):
    """Nothing is left for later, and no path of one machine is committed."""
    words = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX:", "HA" + "CK"]))
    for path in files(root, ".c", ".h", ".py", ".cpp", ".go", ".rs", ".md", ".txt", ".cmake", ".sh", ".8"):
        for number, line in enumerate(lines(root, path), 1):
            if words.search(line):
                yield f"{path}:{number}: says that something is unfinished: finish it"
            if re.search(r"/home/\w+/|/wor[k]/", line):
                yield f"{path}:{number}: a path of one machine"


RULES = [layout, length, layers, headers, headers_alone, abi, kernel_versions, domains, traps, tests_mirror,
         unfinished]
