"""Random functions in assembly: straight-line instructions on random registers, flags, the red zone, frames, short jumps.

generate(seed, count, features) returns the text of an assembly file and, for each function, which functions one call of it
calls. A function may do anything to any register but rsp: call.S saves those of its caller and records all that the function
left behind, so there is no calling convention to break.
"""
import random

REGS = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"]
LOW32 = {"rax": "eax", "rbx": "ebx", "rcx": "ecx", "rdx": "edx", "rsi": "esi", "rdi": "edi", "rbp": "ebp"}
LOW8 = {"rax": "al", "rbx": "bl", "rcx": "cl", "rdx": "dl", "rsi": "sil", "rdi": "dil", "rbp": "bpl"}
CONDITIONS = "o no b ae e ne be a s ns p np l ge le g".split()


def low32(reg):
    return LOW32.get(reg, reg + "d")


def low8(reg):
    return LOW8.get(reg, reg + "b")


class Body:
    """One function while it is written."""

    def __init__(self, rng, name, features, callees):
        self.rng, self.name, self.features, self.callees = rng, name, features, callees
        self.lines, self.labels, self.called = [], 0, []
        self.red_zone = not callees
        self.filled, self.skippable = set(), False

    def reg(self, *without):
        return self.rng.choice([reg for reg in REGS if reg not in without])

    def slot(self):
        """Eight bytes that are the function's own: in the red zone of a leaf, else in a static array."""
        if self.red_zone and self.rng.random() < 0.6:
            at = -8 * self.rng.randint(1, 15)
            if at not in self.filled and not self.skippable:
                self.filled.add(at)
                self.put(f"movq %{self.reg()}, {at}(%rsp)")
            if at in self.filled:
                return f"{at}(%rsp)"
        return f"mx_data+{8 * self.rng.randint(0, 31)}(%rip)"

    def put(self, line):
        self.lines.append("\t" + line)

    def label(self):
        self.labels += 1
        return f".L{self.name}_{self.labels}"

    def arithmetic(self):
        op = self.rng.choice("add sub adc sbb xor or and cmp test".split())
        a, b, form = self.reg(), self.reg(), self.rng.randint(0, 3)
        if form == 0:
            self.put(f"{op}q %{a}, %{b}")
        elif form == 1:
            self.put(f"{op}l ${self.rng.randint(-2**31, 2**31 - 1)}, %{low32(b)}")
        elif form == 2:
            self.put(f"{op}b %{low8(a)}, %{low8(b)}")
        else:
            self.put(f"{op}q %{a}, {self.slot()}" if op == "test" or self.rng.random() < 0.5 else f"{op}q {self.slot()}, %{b}")

    def move(self):
        a, b = self.reg(), self.reg()
        self.put(self.rng.choice([
            f"movq %{a}, %{b}", f"movq ${self.rng.randint(-2**31, 2**31 - 1)}, %{b}", f"movabsq ${self.rng.getrandbits(64)}, %{b}",
            f"movq %{a}, {self.slot()}", f"movq {self.slot()}, %{b}", f"movzbl {self.slot()}, %{low32(b)}",
            f"movslq %{low32(a)}, %{b}", f"leaq {self.rng.randint(-999, 999)}(%{a},%{b},4), %{self.reg()}",
            f"leaq mx_data(%rip), %{b}", f"xchgq %{a}, %{b}", f"xchgq %{a}, {self.slot()}", f"bswapq %{a}",
            f"cmov{self.rng.choice(CONDITIONS)}q %{a}, %{b}", f"set{self.rng.choice(CONDITIONS)} %{low8(a)}"]))

    def shift(self):
        a, b = self.reg(), self.reg()
        self.put(self.rng.choice([
            f"shlq ${self.rng.randint(1, 63)}, %{a}", f"sarq %cl, %{a}", f"rolq ${self.rng.randint(1, 63)}, %{a}", f"rcrq $1, %{a}",
            f"shldq ${self.rng.randint(1, 63)}, %{a}, %{b}", f"btsq ${self.rng.randint(0, 63)}, %{a}", f"btq %{a}, %{b}"]))

    def multiply(self):
        a, b = self.reg(), self.reg()
        self.put(self.rng.choice([
            f"imulq %{a}, %{b}", f"imulq ${self.rng.randint(-999, 999)}, {self.slot()}, %{b}", f"mulq %{a}", f"imulq {self.slot()}",
            f"incq %{a}", f"negq %{a}", f"notq %{a}", f"decq {self.slot()}", "cqto", "cltq"]))

    def flags(self):
        self.put(self.rng.choice(["stc", "clc", "cmc", "lahf", "sahf", "std", "cld", f"cmpxchgq %{self.reg()}, {self.slot()}",
                                  f"lock xaddq %{self.reg()}, {self.slot()}", f"lock cmpxchgq %{self.reg()}, mx_data(%rip)"]))

    def vector(self):
        a, b = self.rng.randint(0, 15), self.rng.randint(0, 15)
        choice = [f"movq %{self.reg()}, %xmm{a}", f"movq %xmm{a}, %{self.reg()}", f"paddq %xmm{a}, %xmm{b}",
                  f"pxor mx_data+{16 * self.rng.randint(0, 15)}(%rip), %xmm{a}", f"movdqu mx_data+{8 * self.rng.randint(0, 15)}(%rip), %xmm{b}",
                  f"pshufd ${self.rng.randint(0, 255)}, %xmm{a}, %xmm{b}", f"cvtsi2sdq %{self.reg()}, %xmm{a}"]
        if "avx2" in self.features:
            choice += [f"vpaddq mx_data+{8 * self.rng.randint(0, 15)}(%rip), %ymm{a}, %ymm{b}", f"vpxor %ymm{a}, %ymm{b}, %ymm{a}",
                       f"vpermq ${self.rng.randint(0, 255)}, %ymm{a}, %ymm{b}", f"vmovdqu %ymm{a}, mx_data+{8 * self.rng.randint(0, 24)}(%rip)"]
        if "bmi2" in self.features:
            choice += [f"rorxq ${self.rng.randint(1, 63)}, mx_data(%rip), %{self.reg()}", f"pdepq mx_data+8(%rip), %{self.reg()}, %{self.reg()}",
                       f"andnq {self.slot()}, %{self.reg()}, %{self.reg()}"]
        self.put(self.rng.choice(choice))

    def stack(self):
        """Writes below rsp, so it ends what is in the red zone; balanced at once."""
        self.red_zone = False
        a, b = self.reg(), self.reg()
        pairs = [(f"pushq %{a}", f"popq %{b}"), (f"pushq ${self.rng.randint(-999, 999)}", f"popq %{b}"), ("pushfq", f"popq %{b}"),
                 ("pushfq", "popfq"), ("pushq mx_data(%rip)", "popq mx_data+8(%rip)"), (f"pushw %ax", "popw %bx")]
        push, pop = self.rng.choice(pairs)
        self.put(push)
        self.put(pop)

    def nop(self):
        self.put(self.rng.choice(["nop", "nopl (%rax)", "nopw (%rax,%rax)", ".byte 0x0f,0x1f,0x44,0,0", ".byte 0x0f,0x1f,0x44,0,8",
                                  ".byte 0x66,0x90", ".byte 0xf3,0x90", "endbr64", ".byte 0x2e,0x66,0x0f,0x1f,0x84,0,0,0,0,0"]))

    def jump(self):
        """Forward over one or two instructions, by any condition, loop or unconditionally."""
        end = self.label()
        self.put(self.rng.choice([f"j{self.rng.choice(CONDITIONS)} {end}", f"jmp {end}", f"jrcxz {end}",
                                  f"{{disp32}} j{self.rng.choice(CONDITIONS)} {end}", f"{{disp32}} jmp {end}"]))
        self.skippable = True
        for _ in range(self.rng.randint(0, 2)):
            self.rng.choice([self.arithmetic, self.move, self.shift])()
        self.skippable = False
        self.lines.append(f"{end}:")

    def call(self):
        callee = self.rng.choice(self.callees)
        self.called.append(callee)
        self.red_zone = False
        self.put(f"call {callee}" if self.rng.random() < 0.7 else f"leaq {callee}(%rip), %rax\n\tcall *%rax")

    def one(self):
        kinds = [(self.arithmetic, 5), (self.move, 6), (self.shift, 3), (self.multiply, 3), (self.flags, 2), (self.vector, 3),
                 (self.nop, 2), (self.jump, 2), (self.stack, 1)]
        self.rng.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]()

    def loop(self):
        """Back to an early instruction: what a probe there would count several times."""
        start = self.label()
        counter = f"mx_loop_{self.name}"
        self.lines.append(f"{start}:")
        for _ in range(self.rng.randint(1, 3)):
            self.rng.choice([self.arithmetic, self.move, self.shift])()
        self.put(f"incq {counter}(%rip)")
        self.put(f"testq $3, {counter}(%rip)")
        self.put(f"jnz {start}")

    def write(self):
        # The entry matters most: half of all functions begin with a frame or a loop, the rest with anything.
        begin = self.rng.random()
        frame = self.rng.randint(1, 24) * 8
        if begin < 0.12:
            self.loop()
        elif begin < 0.3 and self.callees:
            self.put("endbr64")
        for _ in range(self.rng.randint(0, 3)):
            self.one()
        framed = bool(self.callees) or self.rng.random() < 0.4
        if framed:
            self.red_zone = False
            saved = self.rng.sample(REGS, self.rng.randint(0, 4))
            for reg in saved:
                self.put(f"pushq %{reg}")
            self.put(f"leaq -{frame}(%rsp), %rsp" if self.rng.random() < 0.3 else f"subq ${frame}, %rsp")
        for _ in range(self.rng.randint(2, 14)):
            self.one()
        for _ in range(self.rng.randint(1, 3) if self.callees else 0):
            self.call()
            self.one()
        if framed:
            self.put(f"leaq {frame}(%rsp), %rsp")
            for reg in reversed(saved):
                self.put(f"popq %{reg}")
        if self.callees and self.rng.random() < 0.25:
            tail = self.rng.choice(self.callees)
            self.called.append(tail)
            self.put(f"jmp {tail}")
        else:
            self.put(self.rng.choice(["ret", "ret", "ret", "rep ret"]))


def generate(seed, count, features):
    rng = random.Random(seed)
    leaves = count * 6 // 10
    text = ["\t.text"]
    calls = {}
    names = []
    for i in range(count):
        name = f"fn_{i:04}"
        # A callee has a lower number, so there is no recursion; few levels, so that calls do not multiply.
        callees = [] if i < leaves else names[max(0, leaves - 40):leaves] + names[leaves:i][:10]
        body = Body(rng, name, features, callees)
        body.write()
        text += ["\t.p2align 4", f"\t.globl {name}", f"\t.type {name}, @function", f"{name}:", *body.lines, f"\t.size {name}, . - {name}"]
        calls[name] = body.called
        names.append(name)
    text += ["\t.data", "\t.balign 64", "\t.globl mx_data", "mx_data:"] + [f"\t.quad {rng.getrandbits(64)}" for _ in range(40)]
    text += [f"mx_loop_{name}:\t.quad 0" for name in names]
    text += ["\t.section .rodata", "\t.globl mx_functions", "mx_functions:"] + [f"\t.quad {name}" for name in names]
    text += ["\t.quad 0", '\t.section .note.GNU-stack,"",@progbits', ""]
    return "\n".join(text), calls
