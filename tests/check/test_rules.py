"""Each rule of rules.py finds, in a small tree, the one thing that is wrong, and nothing in the right tree."""
import os
import subprocess
import sys
import tempfile

import rules

RIGHT = {
    ".clang-format": "BasedOnStyle: LLVM\nUseTab: ForContinuationAndIndentation\nIndentWidth: 8\nTabWidth: 8\n"
                     "BreakBeforeBraces: Linux\nAllowShortFunctionsOnASingleLine: None\n",
    "include/hotpathd/domains.def": "HP_DOMAIN(cpu)\n",
    "include/hotpathd/abi/types.h": "#pragma once\ntypedef unsigned __u32;\n"
                                    "#define HP_ABI_SIZE(type, size) _Static_assert(sizeof(type) == size, \"\")\n",
    "include/hotpathd/abi/cpu.h": "#pragma once\n\n#include \"hotpathd/abi/types.h\"\n\nstruct hp_a {\n"
                                  "\t__u32 a;\n};\nHP_ABI_SIZE(struct hp_a, 4);\n",
    "bpf/cpu.bpf.c": "int x; /* trap:U2 */\n",
    "userspace/base/a.h": "#pragma once\n\nint hp_a(void);\n",
    "userspace/base/a.c": "#include \"base/a.h\"\n\nint hp_a(void)\n{\n\treturn 0;\n}\n",
    "userspace/domains/cpu/cpu.c": "#include \"base/a.h\"\n",
    "tests/unit/base/test_a.c": "/* trap:U2 */\n",
    "tests/fuzz/base/fuzz_a.c": "int a;\n",
    "tests/fuzz/corpus/fuzz_a/one": "1",
}
WRONG = [
    ("layout", {"userspace/base/b.c": "int   b;\n"}, "clang-format"),
    ("length", {"userspace/base/b.c": "int b;\n" * 451}, "451: more than"),
    ("length", {"userspace/base/b.c": "int b(void)\n{\n" + "\tb();\n" * 67 + "}\n"}, "function of 67 lines"),
    ("layers", {"userspace/base/b.c": "#include \"domains/d.h\"\n"}, "b.c:1: layer base includes domains/d.h"),
    ("headers", {"userspace/base/a.h": "int hp_a(void);\n"}, "pragma once"),
    ("headers", {"userspace/base/a.c": "#include <stdio.h>\n#include \"base/a.h\"\n"}, "own header"),
    ("headers_alone", {"userspace/base/a.h": "#pragma once\n\nint hp_a(size_t n);\n"}, "size_t"),
    ("abi", {"include/hotpathd/abi/b.h": "#pragma once\nstruct hp_b {\n\tuint32_t b;\n};\nHP_ABI_SIZE(struct hp_b, 4);\n"},
     "b.h:3: not one"),
    ("abi", {"include/hotpathd/abi/b.h": "#pragma once\nstruct hp_b {\n\t__u32 b;\n};\n"}, "b.h:2: the size"),
    ("kernel_versions", {"userspace/base/b.c": "int b = uname(0);\n"}, "b.c:1: asks"),
    ("domains", {"include/hotpathd/domains.def": "HP_DOMAIN(cpu)\nHP_DOMAIN(locks)\n"}, "locks has no"),
    ("domains", {"userspace/domains/io/io.c": "int b;\n"}, "io:1: no line"),
    ("traps", {"bpf/cpu.bpf.c": "int x; /* trap:U2 trap:U3 */\n"}, "trap:U3 is handled here"),
    ("traps", {"tests/unit/base/test_a.c": "/* trap:U2 trap:U4 */\n"}, "trap:U4 is tested here"),
    ("tests_mirror", {"tests/unit/bass/test_b.c": "int b;\n"}, "no layer bass"),
    ("tests_mirror", {"tests/fuzz/base/fuzz_b.c": "int b;\n"}, "fuzz_b.c:1: has no corpus"),
    ("unfinished", {"userspace/base/b.c": "int b; /* TO" + "DO */\n"}, "b.c:1: says"),
    ("unfinished", {"README.md": "see /ho" + "me/me/x\n"}, "README.md:1: a path"),
]


def findings(rule, tree):
    with tempfile.TemporaryDirectory() as root:
        subprocess.run(["git", "init", "-q", root], check=True, stdin=subprocess.DEVNULL)
        for path, text in tree.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        return list(getattr(rules, rule)(root))


failed = 0
for rule in (rule.__name__ for rule in rules.RULES):
    found = findings(rule, RIGHT)
    if found:
        print(f"{rule}: finds in the right tree: {found}")
        failed += 1
    if not any(rule == wrong[0] for wrong in WRONG):
        print(f"{rule}: nothing shows that it finds anything")
        failed += 1
for rule, change, sentence in WRONG:
    found = findings(rule, {**RIGHT, **change})
    if len(found) < 1 or not any(sentence in finding for finding in found):
        print(f"{rule}: does not find '{sentence}': {found}")
        failed += 1
print(f"{len(WRONG)} cases, {failed} failed")
sys.exit(1 if failed else 0)
