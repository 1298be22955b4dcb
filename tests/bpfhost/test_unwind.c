/*
 * The walk of user stacks: each kind of rule on a stack that the test lays out, probes' return addresses, ends, and
 * tables full of nonsense. Real code and real tables: test_unwind_real.c.
 */
#include "unwind_host.h"

#define CODE 0x400000ull /* functions of 256 bytes; number i has rule i */
#define TOP  1024

static __u64 stack[TOP]; /* grows down */
static __u64 ips[HP_MAX_USER_STACK];
static __u8 end;
static __u32 n;

static int setup(void **state)
{
	hp_unwind_row rows[256];

	host_setup();
	memset(stack, 0, sizeof(stack));
	memset(&host_regs, 0, sizeof(host_regs));
	for (__u32 i = 0; i < 256; i++)
		rows[i] = HP_UNWIND_ROW(i * 256, i);
	host_add_page(rows, 256);
	host_add_mapping(CODE, CODE + 0x10000, 0, 0);
	host.readable = (uintptr_t)stack;
	host.readable_end = (uintptr_t)(stack + TOP);
	return 0;
}

static int teardown(void **state)
{
	host_teardown();
	return 0;
}

/* An address within function @i. */
static __u64 in(unsigned i)
{
	return CODE + i * 256 + 0x20;
}

static __u64 at(unsigned word)
{
	return (uintptr_t)&stack[word];
}

static void function(unsigned i, struct hp_unwind_rule rule)
{
	assert_true(i >= 3 && i < 256);
	host.rules[i] = rule;
}

static const struct hp_unwind_rule by_rsp = {.cfa = HP_UNWIND_RSP, .offset = 24};
static const struct hp_unwind_rule by_rbp = {
	.cfa = HP_UNWIND_RBP, .offset = 16, .rbp = HP_UNWIND_RBP_AT_CFA, .rbp_offset = -16};

static void walk(__u64 pc, __u64 sp, __u64 bp)
{
	host.scratch->regs[HP_DWARF_RIP] = pc;
	host.scratch->regs[HP_DWARF_RSP] = sp;
	host.scratch->regs[HP_DWARF_RBP] = bp;
	memset(ips, 0xee, sizeof(ips));
	n = hp_walk_user(host.scratch, HOST_TGID, ips, HP_MAX_USER_STACK, &end);
}

#define assert_stack(...)                                              \
	do {                                                           \
		const __u64 wanted[] = {__VA_ARGS__};                  \
		assert_int_equal(n, sizeof(wanted) / sizeof(*wanted)); \
		for (size_t frame = 0; frame < n; frame++)             \
			assert_int_equal(ips[frame], wanted[frame]);   \
	} while (0)

static void test_plain(void **state)
{
	function(10, by_rsp);
	function(11, by_rbp);
	stack[102] = in(11);                       /* below CFA 103 */
	stack[110] = at(120), stack[111] = in(11); /* rbp and return address of function 11 */
	stack[120] = 0x1234, stack[121] = in(HP_UNWIND_RULE_END);
	walk(in(10), at(100), at(110));
	assert_stack(in(10), in(11), in(11), in(HP_UNWIND_RULE_END));
	assert_int_equal(end, HP_STACK_COMPLETE);
	assert_int_equal(host.reads, 1); /* all frames lie in what is read at once */
	/* A thread's first function, with nothing said of it. */
	stack[121] = 0;
	walk(in(10), at(100), at(110));
	assert_stack(in(10), in(11), in(11));
	assert_int_equal(end, HP_STACK_COMPLETE);
}

/* A call at the end of a function returns, as it seems, to the next one. */
static void test_call_at_the_end(void **state)
{
	function(10, by_rsp);
	function(11, by_rsp);
	stack[102] = CODE + 12 * 256; /* of function 11 */
	stack[105] = in(HP_UNWIND_RULE_END);
	walk(CODE + 10 * 256, at(100), 0); /* the first instruction: of 10 itself */
	assert_stack(CODE + 10 * 256, CODE + 12 * 256, in(HP_UNWIND_RULE_END));
	assert_int_equal(end, HP_STACK_COMPLETE);
}

static void test_aligned_stacks(void **state)
{
	function(10, (struct hp_unwind_rule){.cfa = HP_UNWIND_DEREF_RBP,
					     .inner = -8,
					     .rbp = HP_UNWIND_RBP_AT_RBP,
					     .rbp_offset = 0});
	function(11, (struct hp_unwind_rule){.cfa = HP_UNWIND_DEREF_RSP,
					     .inner = 16,
					     .offset = 8,
					     .rbp = HP_UNWIND_RBP_AT_CFA,
					     .rbp_offset = -24});
	function(12, by_rbp);
	stack[104] = at(120), stack[105] = 0x777; /* rbp - 8, rbp */
	stack[119] = in(11);
	stack[122] = at(139); /* at rsp + 16: CFA 140 */
	stack[137] = at(150), stack[139] = in(12);
	stack[150] = 1, stack[151] = in(HP_UNWIND_RULE_END);
	walk(in(10), at(100), at(105));
	assert_stack(in(10), in(11), in(12), in(HP_UNWIND_RULE_END));
	assert_int_equal(end, HP_STACK_COMPLETE);
	host.rules[11].rbp = HP_UNWIND_RBP_UNKNOWN; /* then nothing can be reached by it */
	walk(in(10), at(100), at(105));
	assert_stack(in(10), in(11), in(12));
	assert_int_equal(end, HP_STACK_NO_PROGRESS);
}

static void test_plt(void **state)
{
	function(10, (struct hp_unwind_rule){.cfa = HP_UNWIND_PLT, .offset = 8, .inner = 11});
	stack[100] = in(HP_UNWIND_RULE_END), stack[101] = in(HP_UNWIND_RULE_END) + 1;
	walk(in(10) + 10, at(100), 0);
	assert_stack(in(10) + 10, in(HP_UNWIND_RULE_END));
	walk(in(10) + 11, at(100), 0);
	assert_stack(in(10) + 11, in(HP_UNWIND_RULE_END) + 1);
}

/* Registers are known in the innermost frame and above a signal only. */
static void test_registers(void **state)
{
	function(10, (struct hp_unwind_rule){.cfa = HP_UNWIND_REG, .reg = 10, .offset = 8});
	function(11, by_rsp);
	stack[110] = in(10);
	host.scratch->regs[10] = at(110);
	walk(in(10), at(100), 0);
	assert_stack(in(10), in(10));
	assert_int_equal(end, HP_STACK_UNKNOWN_RULE);
	function(12, (struct hp_unwind_rule){.cfa = 77}); /* of a later version of us */
	walk(in(12), at(100), 0);
	assert_stack(in(12));
	assert_int_equal(end, HP_STACK_UNKNOWN_RULE);
}

/* struct sigcontext as the kernel's header has it, at its place in struct ucontext. */
static void lay_context(unsigned word, __u64 pc, __u64 sp, __u64 bp, __u64 r10)
{
	__u64 *context = &stack[word + 5];

	context[2] = r10;
	context[10] = bp;
	context[15] = sp;
	context[16] = pc;
}

static void test_signals(void **state)
{
	function(9, (struct hp_unwind_rule){.cfa = HP_UNWIND_SIGNAL, .offset = 0});
	function(10, (struct hp_unwind_rule){.cfa = HP_UNWIND_REG, .reg = 10, .offset = 8});
	function(11, by_rsp);
	function(13, by_rbp);
	/* The handler runs on a stack of its own above the program's, which is at its first instruction. */
	stack[502] = in(9);
	lay_context(503, CODE + 10 * 256, at(100), at(200), at(110));
	stack[110] = in(13);
	stack[200] = 1, stack[201] = in(HP_UNWIND_RULE_END);
	walk(in(11), at(500), 0x55);
	assert_stack(in(11), in(9), CODE + 10 * 256, in(13), in(HP_UNWIND_RULE_END));
	assert_int_equal(end, HP_STACK_COMPLETE);
	/* By DWARF number, every register is what the kernel saved. */
	for (unsigned i = 0; i < 17; i++)
		stack[508 + i] = 1000 + i;
	walk(in(9), at(503), 0);
	for (unsigned i = 0; i < 16; i++) {
		static const unsigned order[] = {13, 12, 14, 11, 9, 8, 10, 15};

		assert_int_equal(host.scratch->regs[i], 1000 + (i < 8 ? order[i] : i - 8));
	}
	assert_int_equal(ips[1], 1016);
	/* One that interrupts itself for ever. */
	lay_context(503, in(9), at(503), 0, 0);
	walk(in(11), at(500), 0);
	assert_int_equal(end, HP_STACK_NO_PROGRESS);
	assert_int_equal(n, 2 + HP_WALK_SIGNALS);
	/* Beyond what is resident. */
	host.readable_end = at(510);
	walk(in(11), at(500), 0);
	assert_stack(in(11), in(9));
	assert_int_equal(end, HP_STACK_UNREADABLE);
}

/* trap:S2: a tail call's two instances have one slot and, by the kernel, one original. */
static void test_return_probes(void **state)
{
	const __u64 trampoline = 0x7fffffffe000;
	struct return_instance outer = {.stack = at(108), .orig_ret_vaddr = in(1)};
	struct return_instance second = {
		.stack = at(102), .orig_ret_vaddr = in(11), .next = &outer};
	struct return_instance first = {
		.stack = at(102), .orig_ret_vaddr = in(11), .next = &second};
	struct return_instance left = {.stack = at(90), .orig_ret_vaddr = in(12), .next = &first};

	function(10, by_rsp);
	function(11, by_rsp);
	stack[102] = trampoline, stack[105] = in(11), stack[108] = trampoline;
	host.utask.return_instances = &left;
	walk(in(10), at(100), 0);
	assert_stack(in(10), in(11), in(11), in(1));
	assert_int_equal(end, HP_STACK_COMPLETE);
	/* Also in code without tables. */
	host.active = HP_UNWIND_NO_SPACE;
	stack[101] = at(107);
	stack[107] = 0;
	walk(in(10), at(100), at(101));
	assert_stack(in(10), in(11), in(1));
	assert_int_equal(end, HP_STACK_NO_TABLE | HP_STACK_GUESSED);
}

static void test_no_table(void **state)
{
	stack[110] = at(120), stack[111] = in(HP_UNWIND_RULE_NONE);
	stack[120] = at(130), stack[121] = in(1);
	walk(CODE - 0x1000, at(100), at(110)); /* no mapping, then one without a row */
	assert_stack(CODE - 0x1000, in(HP_UNWIND_RULE_NONE), in(1));
	assert_int_equal(end, HP_STACK_COMPLETE | HP_STACK_GUESSED);
	walk(0xffffffffff600000, at(100), at(90)); /* vsyscall; rbp is no frame pointer */
	assert_stack(0xffffffffff600000);
	assert_int_equal(end, HP_STACK_NO_TABLE);
	host.pages[0].rows = 0;
	walk(in(10), at(100), 0);
	assert_stack(in(10));
	assert_int_equal(end, HP_STACK_NO_TABLE);
}

static void test_ends(void **state)
{
	function(10, by_rsp);
	function(11, (struct hp_unwind_rule){.cfa = HP_UNWIND_RSP, .offset = 0});
	for (unsigned i = 2; i < TOP; i += 3)
		stack[i] = in(10);
	walk(in(10), at(0), 0);
	assert_int_equal(n, HP_MAX_USER_STACK);
	assert_int_equal(end, HP_STACK_DEPTH);
	for (unsigned i = 0; i < HP_MAX_USER_STACK; i++)
		assert_int_equal(ips[i], in(10));
	walk(in(10), at(TOP - 10), 0); /* words 1016, 1019 and 1022, then what is not there */
	assert_int_equal(n, 4);
	assert_int_equal(end, HP_STACK_UNREADABLE);
	walk(in(11), at(100), 0);
	assert_stack(in(11));
	assert_int_equal(end, HP_STACK_NO_PROGRESS);
	walk(0, at(100), 0);
	assert_int_equal(n, 0);
	assert_int_equal(end, HP_STACK_NO_REGISTERS);
}

/* A task's own registers, and a kernel thread, which has none. */
static void test_task(void **state)
{
	struct mm_struct mm;

	function(10, by_rsp);
	stack[102] = in(1);
	host_regs.ip = in(10);
	host_regs.sp = at(100);
	n = hp_walk_task(HOST_TGID, ips, HP_MAX_USER_STACK, &end);
	assert_int_equal(n, 0);
	assert_int_equal(end, HP_STACK_NO_REGISTERS);
	host.task.mm = &mm;
	n = hp_walk_task(HOST_TGID, ips, HP_MAX_USER_STACK, &end);
	assert_stack(in(10), in(1));
	assert_int_equal(end, HP_STACK_COMPLETE);
}

/* Every number of mappings, with gaps: the right one, or none. */
static void test_mappings(void **state)
{
	const hp_unwind_row row = HP_UNWIND_ROW(0, HP_UNWIND_RULE_END);
	static const unsigned counts[] = {1, 2, 3, 63, 64, 65, 66, 127, 500, 1023, 1024};

	for (size_t k = 0; k < sizeof(counts) / sizeof(*counts); k++) {
		host_teardown();
		host_setup();
		host_add_page(&row, 1);
		for (unsigned i = 0; i < counts[k]; i++)
			host_add_mapping(CODE + i * 0x3000ull, CODE + i * 0x3000ull + 0x1000, 0, 0);
		for (unsigned i = 0; i < counts[k]; i++) {
			walk(CODE + i * 0x3000ull, 0, 0);
			assert_int_equal(end, HP_STACK_COMPLETE);
			walk(CODE + i * 0x3000ull + 0xfff, 0, 0);
			assert_int_equal(end, HP_STACK_COMPLETE);
			walk(CODE + i * 0x3000ull + 0x1000, 0, 0);
			assert_int_equal(end, HP_STACK_NO_TABLE);
		}
		walk(CODE - 1, 0, 0);
		assert_int_equal(end, HP_STACK_NO_TABLE);
	}
}

/* Every number of rows, in a page that begins within the file: @skew. */
static void test_rows(void **state)
{
	static const unsigned counts[] = {1, 2, 3, 511, 1023, 1024, 1025, 1026, 5000, 32768, 65536};
	hp_unwind_row *rows = calloc(65536, sizeof(*rows));

	assert_non_null(rows);
	for (size_t k = 0; k < sizeof(counts) / sizeof(*counts); k++) {
		unsigned step = 65536 / counts[k];

		host_teardown();
		host_setup();
		/* Odd rows end a stack, even ones cannot be followed. */
		for (unsigned i = 0; i < counts[k]; i++)
			rows[i] = HP_UNWIND_ROW(i * step, i % 2 ? HP_UNWIND_RULE_END
								: HP_UNWIND_RULE_UNKNOWN);
		host_add_page(rows, 1); /* something else in front, if there is room */
		host_add_page(rows, counts[k]);
		host_add_mapping(CODE, CODE + 0xf000, 1, 0x1000);
		for (unsigned i = 0; i < counts[k]; i += counts[k] / 1000 + 1) {
			if (i * step < 0x1000)
				continue;
			walk(CODE - 0x1000 + i * step, 0, 0);
			assert_int_equal(end, i % 2 ? HP_STACK_COMPLETE : HP_STACK_UNKNOWN_RULE);
			walk(CODE - 0x1000 + i * step + step - 1, 0, 0);
			assert_int_equal(end, i % 2 ? HP_STACK_COMPLETE : HP_STACK_UNKNOWN_RULE);
		}
	}
	free(rows);
}

static __u64 random_word(void)
{
	static __u64 seed = 88172645463325252ull;

	seed ^= seed << 13; /* Marsaglia's xorshift */
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void fill(void *to, size_t size)
{
	for (size_t i = 0; i + 4 <= size; i += 4) {
		__u32 word = (__u32)random_word();

		memcpy((char *)to + i, &word, 4);
	}
}

static void make_nonsense(bool likely)
{
	fill(host.arenas[0], sizeof(*host.arenas[0]));
	fill(host.rules, 4096 * sizeof(*host.rules));
	fill(host.pages, HOST_PAGES * sizeof(*host.pages));
	fill(host.space, sizeof(*host.space));
	for (unsigned i = 0; i < HP_UNWIND_MAPPINGS && likely; i++) {
		/* Something that is found. */
		host.space->mappings[i].start = CODE + i * 0x10000ull;
		host.space->mappings[i].end = CODE + (i + 1) * 0x10000ull;
		host.space->mappings[i].page %= 2 * HOST_PAGES;
		host.pages[i].arena = 0;
	}
	for (unsigned i = 0; i < 4096 && likely; i++) {
		host.rules[i].cfa %= 11;
		host.rules[i].rbp %= 5;
		host.rules[i].offset %= 512;
		host.rules[i].inner %= 512;
		host.rules[i].rbp_offset %= 512;
	}
	for (unsigned i = 0; i < HP_UNWIND_ARENA_ROWS && likely; i++)
		host.arenas[0]->rows[i] &= 0xffff0fff;
	for (unsigned i = 0; i < TOP; i++) {
		stack[i] = random_word();
		if (stack[i] % 4)
			stack[i] = stack[i] % 8 < 5 ? CODE + (stack[i] >> 8) % 0x4000000
						    : at((stack[i] >> 8) % TOP);
	}
}

/* trap:S4: whatever the tables say, a walk ends, writes nothing beside its frames and reads nothing beside its maps. */
static void test_hostile(void **state)
{
	unsigned long frames = 0, ends[256] = {0};

	for (unsigned round = 0; round < 60; round++) {
		make_nonsense(round % 4);
		for (unsigned i = 0; i < 300; i++) {
			fill(host.scratch->regs, sizeof(host.scratch->regs));
			walk(CODE + random_word() % 0x4000000, at(random_word() % 512),
			     at(random_word() % TOP));
			assert_true(n >= 1 && n <= HP_MAX_USER_STACK);
			assert_true((end & ~HP_STACK_GUESSED) < HP_NSTACK_ENDS);
			assert_true(host.steps < HP_MAX_USER_STACK || end % 128 == HP_STACK_DEPTH);
			for (unsigned k = n; k < HP_MAX_USER_STACK; k++)
				assert_int_equal(ips[k], 0xeeeeeeeeeeeeeeee);
			frames += n;
			ends[end]++;
		}
	}
	/* The nonsense leads somewhere, or it would test nothing. */
	assert_true(frames > 60ul * 300 * 3 / 2);
	for (unsigned reason = HP_STACK_NO_TABLE; reason <= HP_STACK_NO_PROGRESS; reason++)
		assert_true(ends[reason] + ends[reason | HP_STACK_GUESSED] > 100);
}

/* What was found holds for as long as the list of mappings does, and no longer; not even for another address in its place. */
static void test_memos(void **state)
{
	function(10, by_rsp);
	function(11, by_rsp);
	stack[102] = in(11), stack[105] = in(HP_UNWIND_RULE_END);
	walk(in(10), at(100), 0);
	assert_stack(in(10), in(11), in(HP_UNWIND_RULE_END));
	host.pages[0].rows = 0; /* nothing looks here again */
	walk(in(10), at(100), 0);
	assert_stack(in(10), in(11), in(HP_UNWIND_RULE_END));
	host.space->stamp++; /* now everything does */
	walk(in(10), at(100), 0);
	assert_stack(in(10));
	assert_int_equal(end, HP_STACK_NO_TABLE);
	host.pages[0].rows = 256;
	host.space->stamp++;
	for (__u64 pc = CODE; pc < CODE + 0x10000; pc++) {
		__u32 mapping = 0;

		assert_int_equal(hp_walk_find(0, pc, &mapping), (pc - CODE) / 256);
	}
	for (__u64 pc = CODE + 0xffff; pc >= CODE; pc -= 7) {
		__u32 mapping = 0;

		assert_int_equal(hp_walk_find(0, pc, &mapping), (pc - CODE) / 256);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_plain, setup, teardown),
		cmocka_unit_test_setup_teardown(test_call_at_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_aligned_stacks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_plt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_registers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_signals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_return_probes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_table, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_task, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mappings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memos, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
