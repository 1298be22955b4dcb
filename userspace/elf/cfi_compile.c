#include "elf/cfi_compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/cfi_program.h"
#include "elf/cfi_table.h"
#include "elf/cie.h"
#include "elf/gostack.h"
#include "elf/pclntab.h"

#define MAX_FUNCS  2000000u
#define DIGIT_BITS 11
#define GO         UINT32_MAX /* as cie: a function of Go's table */

/* One stretch of code and what says how to walk from it. */
struct func {
	uint64_t start, end;
	uint32_t pos,
		size; /* of the instructions in the section; or pos is an index into Go's functions */
	uint32_t cie;
};

struct compile {
	const struct hp_cfi_input *input;
	struct hp_cie_records records;
	struct hp_cfi_program program;
	HP_VEC(struct func) funcs;
	HP_VEC(const struct func *)
	open; /* those that reach further than where we are, innermost last */
	struct hp_cfi_table table;
	uint64_t budget; /* bytes that may be carried out a second time */
};

static void compile_end(struct compile *compile)
{
	hp_vec_free(&compile->funcs);
	hp_vec_free(&compile->open);
	hp_cfi_table_deinit(&compile->table);
}

static int add_func(struct compile *compile, struct func *func, uint64_t size)
{
	/* Linkers write 0 for the code of sections that they dropped. */
	if (func->start == 0 || size == 0 ||
	    __builtin_add_overflow(func->start, size, &func->end) || func->end == UINT64_MAX)
		return 0;
	if (compile->funcs.len >= MAX_FUNCS)
		return -E2BIG;
	return hp_vec_push(&compile->funcs, *func);
}

static int collect_frames(struct compile *compile)
{
	uint32_t count = compile->input->frames_count ? compile->input->frames_count : UINT32_MAX;
	struct hp_fde fde;
	int r;

	while (count && (r = hp_cie_next(&compile->records, &fde)) != 0) {
		struct func func = {.start = fde.start};

		count--;
		if (r == -EINVAL)
			continue; /* of a kind that no linker writes: there is no more about its code */
		if (r < 0)
			return r;
		func.pos = (uint32_t)fde.program.pos;
		func.size = (uint32_t)hp_reader_left(&fde.program);
		func.cie = (uint32_t)fde.cie_pos;
		r = add_func(compile, &func, fde.size);
		if (r < 0)
			return r;
	}
	return 0;
}

static int collect_go(struct compile *compile)
{
	const struct hp_gofuncs *go = compile->input->go;
	int r = 0;

	for (uint32_t i = 0; go && i < go->list.len && r == 0; i++) {
		struct func func = {.start = go->list.data[i].start, .pos = i, .cie = GO};

		r = add_func(compile, &func, go->list.data[i].size);
	}
	return r;
}

static bool is_sorted(const struct compile *compile)
{
	for (size_t i = 1; i < compile->funcs.len; i++) {
		if (compile->funcs.data[i - 1].start > compile->funcs.data[i].start)
			return false;
	}
	return true;
}

struct key {
	uint64_t start;
	uint32_t index;
};

/* One pass: by the digit at @shift, in order otherwise. */
static void sort_digit(const struct key *from, struct key *to, size_t n, unsigned shift)
{
	uint32_t places[1 << DIGIT_BITS] = {0}, sum = 0;

	for (size_t i = 0; i < n; i++)
		places[from[i].start >> shift & (HP_ARRAY_SIZE(places) - 1)]++;
	for (size_t i = 0; i < HP_ARRAY_SIZE(places); i++) {
		uint32_t count = places[i];

		places[i] = sum;
		sum += count;
	}
	for (size_t i = 0; i < n; i++)
		to[places[from[i].start >> shift & (HP_ARRAY_SIZE(places) - 1)]++] = from[i];
}

/*
 * By digits, as comparing took a fifth of the time of a large table. Of two that begin together the one that was read
 * later stays the later one, and counts.
 */
static int sort(struct compile *compile)
{
	size_t n = compile->funcs.len;
	HP_AUTO_FREE struct key *keys = NULL;
	HP_AUTO_FREE struct func *sorted = NULL;
	struct key *from, *to;
	uint64_t all = 0;

	if (is_sorted(compile))
		return 0;
	keys = calloc(2 * n, sizeof(*keys));
	sorted = calloc(n, sizeof(*sorted));
	if (!keys || !sorted)
		return -ENOMEM;
	from = keys;
	to = keys + n;
	for (size_t i = 0; i < n; i++) {
		from[i] = (struct key){compile->funcs.data[i].start, (uint32_t)i};
		all |= from[i].start;
	}
	for (unsigned shift = 0; shift < 64 && all >> shift; shift += DIGIT_BITS) {
		struct key *swap = from;

		sort_digit(from, to, n, shift);
		from = to;
		to = swap;
	}
	for (size_t i = 0; i < n; i++)
		sorted[i] = compile->funcs.data[from[i].index];
	memcpy(compile->funcs.data, sorted, n * sizeof(*sorted));
	return 0;
}

/* Adds the rules of @func for [@low, @high). */
static int add_rules(struct compile *compile, const struct func *func, uint64_t low, uint64_t high)
{
	struct hp_fde fde = {
		.start = func->start,
		.size = func->end - func->start,
		.cie_pos = func->cie,
		.program = hp_reader_over(compile->records.data, (size_t)func->pos + func->size)};
	int r;

	if (func->cie == GO)
		return hp_gostack_add(compile->input->go, &compile->input->go->list.data[func->pos],
				      low, high, &compile->table);
	r = hp_cie_use(&compile->records, func->cie);
	if (r < 0)
		return -EBADMSG; /* it could be read before */
	hp_reader_seek(&fde.program, func->pos);
	return hp_cfi_program_run(&compile->program, &compile->records, &fde, low, high,
				  &compile->table);
}

/*
 * [@low, @high) behind an inner function may belong to an outer one. Its instructions are carried out once more, which
 * hostile tables could ask for very often.
 */
static int resume(struct compile *compile, uint64_t low, uint64_t high)
{
	int r = 0;

	while (r == 0 && low < high && compile->open.len) {
		const struct func *func = compile->open.data[compile->open.len - 1];
		uint64_t cost = func->size + 16ull, end = func->end < high ? func->end : high;

		if (func->end <= low) {
			compile->open.len--;
			continue;
		}
		if (func->cie != GO && cost <= compile->budget) {
			compile->budget -= cost;
			r = add_rules(compile, func, low, end);
		} else {
			r = hp_cfi_table_add(&compile->table, low, HP_UNWIND_RULE_UNKNOWN);
		}
		low = end;
	}
	return r == 0 && low < high ? hp_cfi_table_add(&compile->table, low, HP_UNWIND_RULE_NONE)
				    : r;
}

static int build(struct compile *compile)
{
	int r = 0;

	for (size_t i = 0; i < compile->funcs.len && r == 0; i++) {
		const struct func *func = &compile->funcs.data[i];
		uint64_t next = i + 1 < compile->funcs.len ? func[1].start : UINT64_MAX;
		uint64_t end = func->end < next ? func->end : next;

		if (func->start < end)
			r = add_rules(compile, func, func->start, end);
		if (r == 0 && end < func->end)
			r = hp_vec_push(&compile->open, func);
		if (r == 0 && end < next)
			r = resume(compile, end, next);
	}
	return r;
}

int hp_cfi_compile(const struct hp_cfi_input *input, struct hp_cfi *ret_cfi)
{
	HP_CLEANUP(compile_end)
	struct compile compile = {
		.input = input,
		.records = hp_cie_records_of(input->frames, input->frames_size, input->frames_vaddr,
					     input->frames_debug),
		.budget = input->frames_size,
	};
	int r;

	if (input->frames_size >= UINT32_MAX)
		return -E2BIG;
	r = hp_cfi_table_init(&compile.table);
	if (r == 0)
		r = collect_frames(&compile);
	if (r == 0)
		r = collect_go(&compile);
	if (r < 0)
		return r;
	r = sort(&compile);
	if (r == 0)
		r = build(&compile);
	if (r == 0)
		hp_cfi_table_finish(&compile.table, ret_cfi);
	return r;
}
