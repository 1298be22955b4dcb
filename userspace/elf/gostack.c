#include "elf/gostack.h"

#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/cfi_table.h"
#include "elf/leb.h"
#include "elf/pclntab.h"

#define RETURN_ADDRESS 8

/* Where stacks begin or change. Those of threads and goroutines: rt0, mstart, goexit; the others switch. */
static const char *const ends[] = {
	"_rt0_amd64",
	"_rt0_amd64_linux",
	"_rt0_amd64_lib",
	"_rt0_amd64_linux_lib",
	"runtime.asmcgocall",
	"runtime.asmcgocall_no_g",
	"runtime.cgocallback",
	"runtime.cgocallback_gofunc",
	"runtime.clone",
	"runtime.goexit",
	"runtime.mcall",
	"runtime.morestack",
	"runtime.morestack_noctxt",
	"runtime.mstart",
	"runtime.rt0_go",
	"runtime.systemstack",
	"runtime.systemstack_switch",
};

/* What a signal handler returns to: its stack pointer is at the struct ucontext that the kernel put there. */
static const char *const trampolines[] = {
	"runtime.sigreturn",
	"runtime.sigreturn__sigaction",
};

static bool is_among(const char *name, const char *const *names, size_t n)
{
	/* Since Go 1.17 assembly has its ABI behind the name at times. */
	size_t len = strcspn(name, " ");

	if (len > 5 && strncmp(name + len - 5, ".abi0", 5) == 0)
		len -= 5;
	for (size_t i = 0; i < n; i++) {
		if (strncmp(name, names[i], len) == 0 && names[i][len] == '\0')
			return true;
	}
	return false;
}

static uint16_t number_of(struct hp_cfi_table *table, int64_t depth)
{
	struct hp_unwind_rule rule = {.cfa = HP_UNWIND_RSP};

	if (depth < 0 || depth > INT32_MAX - RETURN_ADDRESS)
		return HP_UNWIND_RULE_UNKNOWN;
	rule.offset = (int32_t)(depth + RETURN_ADDRESS);
	if (depth >= 8) {
		rule.rbp = HP_UNWIND_RBP_AT_CFA;
		rule.rbp_offset = -2 * RETURN_ADDRESS;
	}
	return hp_cfi_table_number(table, &rule);
}

/*
 * Pairs of a difference of depths (zigzag) and one of addresses, from -1 and the function's start on. A difference of
 * depths of 0 ends them, but for the first one. What they do not reach is the padding behind a function.
 */
static int add_steps(const struct hp_gofuncs *funcs, const struct hp_gofunc *func, uint64_t low,
		     uint64_t high, struct hp_cfi_table *table)
{
	struct hp_reader reader = hp_reader_over(funcs->data, funcs->size);
	uint64_t loc = func->start;
	int64_t depth = -1;
	int r = 0;

	hp_reader_seek(&reader, func->stack);
	while (r == 0 && loc < high) {
		uint64_t coded = hp_leb_unsigned(&reader), next;

		if (reader.failed || (coded == 0 && loc != func->start))
			break;
		depth = (int64_t)((uint64_t)depth + ((coded >> 1) ^ -(coded & 1)));
		if (__builtin_add_overflow(loc, hp_leb_unsigned(&reader), &next) || reader.failed ||
		    next == loc)
			break;
		if (next > low)
			r = hp_cfi_table_add(table, loc > low ? loc : low, number_of(table, depth));
		loc = next;
	}
	if (r == 0 && loc < high)
		r = hp_cfi_table_add(table, loc > low ? loc : low, HP_UNWIND_RULE_NONE);
	return r;
}

int hp_gostack_add(const struct hp_gofuncs *funcs, const struct hp_gofunc *func, uint64_t low,
		   uint64_t high, struct hp_cfi_table *table)
{
	const struct hp_unwind_rule signal = {.cfa = HP_UNWIND_SIGNAL};

	if (is_among(func->name, ends, HP_ARRAY_SIZE(ends)))
		return hp_cfi_table_add(table, low, HP_UNWIND_RULE_END);
	if (is_among(func->name, trampolines, HP_ARRAY_SIZE(trampolines)))
		return hp_cfi_table_add(table, low, hp_cfi_table_number(table, &signal));
	if (!func->stack)
		return hp_cfi_table_add(table, low, HP_UNWIND_RULE_UNKNOWN);
	return add_steps(funcs, func, low, high, table);
}
