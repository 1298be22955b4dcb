"""Where probes may go, by the text that objdump prints."""
import re
import subprocess

from harness import expect, equal, run_daemon

INSN = re.compile(r"^ +([0-9a-f]+):\t((?:[0-9a-f]{2} )+) *\t?(.*)$")
PREFIXES = re.compile(r"^((?:lock|rep|repz|repnz|bnd|notrack|cs|ds|es|ss|fs|gs|data16|addr32|rex(?:\.[WRXB]+)?) +)*")
TRANSFER = re.compile(r"^(j|call|ret|syscall|sysenter|int|ud|hlt|loop|iret|xbegin|xabort|\(bad\))")
NO_RSP = re.compile(r"^(cmp|test|bt |push$|nop|endbr)")
CONDITION = re.compile(r"^j(o|no|b|ae|e|ne|be|a|s|ns|p|np|l|ge|le|g)$")


class Insn:
    def __init__(self, addr, code, text):
        self.addr, self.code = addr, code
        self.text = " ".join(text.split("#")[0].split("<")[0].split())
        self.plain = PREFIXES.sub("", self.text)
        self.op = self.plain.split(" ")[0]
        self.args = self.plain[len(self.op):].strip()

    def emulated(self):
        if re.fullmatch(r"(jmp|call)q?", self.op) or CONDITION.match(self.op):
            return not self.args.startswith("*")
        return self.code[-1:] == b"\x90" and self.op in ("nop", "xchg", "pause") or bool(re.fullmatch(r"push %r\w+", self.plain) and len(self.code) <= 2)

    def writes_rsp(self):
        if self.op in ("push", "pop", "leave", "enter", "pushf", "popf", "pushfq", "popfq"):
            return True
        last = self.args.split(",")[-1].strip() if not self.args.endswith(")") else ""
        if re.match(r"^(cmp|test|bt)[bwlq]?$", self.op):
            return False
        return last in ("%rsp", "%esp", "%sp", "%spl") or (self.op.startswith("xchg") and "%rsp" in self.args)


def disassemble(path):
    """Instructions by address, in order, and every direct target, with the addresses that instructions load."""
    done = subprocess.run(["objdump", "-d", "-w", "--insn-width=16", path], capture_output=True, text=True, check=True,
                          stdin=subprocess.DEVNULL)
    order, targets = [], set()
    for line in done.stdout.split("\n"):
        match = INSN.match(line)
        if not match:
            continue
        insn = Insn(int(match[1], 16), bytes.fromhex(match[2]), match[3])
        order.append(insn)
        if re.match(r"^(j|call|loop|xbegin)", insn.op) and not insn.args.startswith("*"):
            number = re.match(r"([0-9a-f]+)", insn.args)
            if number:
                targets.add(int(number[1], 16))
    return order, {insn.addr: i for i, insn in enumerate(order)}, targets


def stack_check(entry, order, index):
    """
    The jump of Go's stack check by its own definition: of the conditional jumps before the stack pointer moves, the last
    that leads to a call of runtime.morestack and from there back to the entry. None: there is none.
    """
    found = None
    for insn in order[index[entry]:index[entry] + 12]:
        if CONDITION.match(insn.op):
            start = index.get(int(insn.args.split(" ")[0], 16), len(order))
            block = order[start:start + 40]
            ends = [i for i, each in enumerate(block) if each.op in ("jmp", "ret", "jmpq", "retq")]
            block = block[:ends[0] + 1] if ends else []
            if not block or block[-1].plain != f"jmp {entry:x}" or sum(each.op.startswith("call") for each in block) != 1:
                return found
            found = insn
        elif TRANSFER.match(insn.op) or insn.writes_rsp():
            return found
    return found


def check_go_site(row, order, index, targets):
    """A Go function that may begin again is probed at that jump, and nowhere else."""
    entry = int(row[2], 16)
    match = re.match(r"\+(\d+) (emulated|stepped), ", row[3])
    jump = stack_check(entry, order, index)
    if not jump:
        loops = any(insn.plain == f"jmp {entry:x}" for insn in order[index[entry]:index[entry] + 400]
                    if insn.addr < entry + 2000)
        return "it begins again" if loops and "counted" not in row[3] else check_site(row, order, index, targets)
    if entry + int(match[1]) != jump.addr:
        return f"not at its stack check, {jump.addr:x}"
    return None if match[2] == "emulated" and jump.op == "jbe" else f"{match[2]} at {jump.text}"


def check_site(row, order, index, targets):
    """None, or what is wrong."""
    name, _, address, rest = row
    entry = int(address, 16)
    match = re.match(r"\+(\d+) (emulated|stepped), ", rest)
    site = entry + int(match[1])
    if entry not in index or site not in index:
        return "not the start of an instruction"
    insn = order[index[site]]
    if (match[2] == "emulated") != insn.emulated():
        return f"{match[2]}, but it is {insn.text}"
    if insn.op.startswith("nop") and len(insn.code) == 5:
        return "a 5-byte nop"
    if re.search(r"\b(lock|cs|ds|es|ss|notrack)\b", insn.text.split(" %")[0]) and insn.op != "nop":
        return f"a prefix that the kernel refuses: {insn.text}"
    for before in order[index[entry]:index[site]]:
        if TRANSFER.match(before.op) or before.writes_rsp():
            return f"behind {before.text}"
        if before.addr != entry and before.addr in targets:
            return f"behind {before.addr:x}, to which something jumps"
    if site != entry and site in targets:
        return "something jumps there"
    return None


def could_be_cheap(row, order, index, targets):
    """The oracle's own walk, with direct targets only."""
    start = index[int(row[2], 16)]
    for insn in order[start:start + 20]:
        if insn.addr != int(row[2], 16) and insn.addr in targets:
            return False
        if insn.emulated():
            return True
        if TRANSFER.match(insn.op) or insn.writes_rsp():
            return False
    return False


def check(path, what, *args, judge=check_site):
    code, out, err = run_daemon("--dry-run", *args)
    equal(code, 0, f"exit status of --dry-run for {what}, stderr {err}")
    rows = [line.split("\t") for line in out if not line.startswith("#")]
    sites = [row for row in rows if not row[3].startswith("skipped")]
    expect(sites, f"no sites in {what}")
    order, index, targets = disassemble(path)
    wrong = [(row[0], row[2], row[3], why) for row in sites for why in [judge(row, order, index, targets)] if why]
    cheap = sum("emulated" in row[3] for row in sites)
    missed = sum("stepped" in row[3] and could_be_cheap(row, order, index, targets) for row in sites)
    moved = sum(not row[3].startswith("+0 ") for row in sites)
    print(f"{what}: {len(sites)} functions, {100 * cheap / len(sites):.1f} % at a cheap site ({moved} of them moved), "
          f"{missed} more would be by direct jumps alone; {len(rows) - len(sites)} skipped")
    expect(not wrong, f"{len(wrong)} of {len(sites)} sites of {what} are wrong: {wrong[:5]}")
    expect(missed <= len(sites) * 0.05, f"{missed} cheap sites of {len(sites)} were given up")
