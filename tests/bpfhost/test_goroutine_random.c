/*
 * trap:U4: random Go programs with fixed seeds, held against plain books. Goroutines run on any thread at each step, their
 * stacks move and grow, calls begin again after that, panics and Goexit leave frames, and g is reused. Counts, sums,
 * minima and maxima are exact whatever the program does; self times are while nothing is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "host.h"

#define STEPS 20000
#define DEEP  40 /* calls of a goroutine */

struct call {
	__u32 entity;
	__u64 distance; /* of the stack pointer at the entry from the stack's upper end */
	__u64 entry_ns, children_ns;
};

struct goroutine {
	struct host_goroutine *g;
	struct call calls[DEEP];
	size_t depth;
};

static struct goroutine goroutines[HOST_GOROUTINES];
static struct hp_cell truth[HOST_ENTITIES];
static uint64_t seed, left, finished;

static uint64_t roll(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

/* Another block of memory, on any side of all others; distances stay. */
static void move_stack(struct goroutine *goroutine)
{
	__u64 size = 4096ull << roll(6);

	goroutine->g->stack.lo = 0xc000000000 + roll(1 << 20) * (1 << 18);
	goroutine->g->stack.hi = goroutine->g->stack.lo + size;
}

static struct pt_regs regs_of(const struct goroutine *goroutine, const struct call *call)
{
	/* The goroutine may have waited: it goes on on any thread. */
	host.current = &host.threads[roll(2)];
	return (struct pt_regs){
		.sp = goroutine->g->stack.hi - call->distance,
		.r14 = (uintptr_t)goroutine->g,
		.cookie = HP_COOKIE(call->entity, 1),
	};
}

static void fire_entry(struct goroutine *goroutine, const struct call *call)
{
	struct pt_regs regs = regs_of(goroutine, call);

	if (roll(2)) { /* a function with a stack check */
		regs.cookie |= HP_COOKIE_CHECKS_STACK;
		for (uint64_t again = roll(3); again; again--) {
			static const unsigned long taken[] = {0x1, 0x40, 0x41, 0x247};

			regs.flags = taken[roll(4)];
			hp_function_go_entry(&regs);
			host.now_ns += roll(100);
			move_stack(goroutine);
			regs.sp = goroutine->g->stack.hi - call->distance;
		}
		regs.flags = 0x246 & ~0x40ul;
	} else {
		regs.flags = 0x247; /* means nothing there */
	}
	hp_function_go_entry(&regs);
}

static void begin(struct goroutine *goroutine, __u64 distance)
{
	struct call *call = &goroutine->calls[goroutine->depth];

	*call = (struct call){.entity = 1 + (__u32)roll(HOST_ENTITIES - 1), .distance = distance};
	fire_entry(goroutine, call);
	call->entry_ns = host.now_ns;
	goroutine->depth++;
	truth[call->entity].hits++;
}

static void do_call(struct goroutine *goroutine)
{
	__u64 distance = 8;

	if (goroutine->depth)
		distance = goroutine->calls[goroutine->depth - 1].distance;
	begin(goroutine, distance + 8 + 8 * roll(8));
}

static void do_return(struct goroutine *goroutine)
{
	struct call *call = &goroutine->calls[--goroutine->depth];
	struct pt_regs regs = regs_of(goroutine, call);
	struct hp_cell *cell = &truth[call->entity];
	__u64 duration = host.now_ns - call->entry_ns;

	regs.flags = 0x247;
	hp_function_go_exit(&regs);
	if (goroutine->depth)
		goroutine->calls[goroutine->depth - 1].children_ns += duration;
	cell->count++;
	cell->sum_ns += duration;
	cell->self_ns += duration - call->children_ns;
	cell->max_ns = duration > cell->max_ns ? duration : cell->max_ns;
	cell->inv_min = ~duration > cell->inv_min ? ~duration : cell->inv_min;
	finished++;
}

static void do_tail_call(struct goroutine *goroutine)
{
	__u64 distance = goroutine->calls[goroutine->depth - 1].distance;

	do_return(goroutine); /* its exit is at the jump */
	begin(goroutine, distance);
}

static void do_panic(struct goroutine *goroutine)
{
	uint64_t n = 1 + roll(6);

	while (goroutine->depth && n--) {
		goroutine->depth--;
		left++;
	}
}

/* Goexit; the next goroutine that gets this g begins elsewhere. */
static void do_goexit(struct goroutine *goroutine)
{
	left += goroutine->depth;
	goroutine->depth = 0;
	move_stack(goroutine);
}

static void step(struct goroutine *goroutine, bool leaving)
{
	uint64_t what = roll(100);

	host.now_ns += roll(1000);
	if (what < 10)
		move_stack(goroutine);
	else if (leaving && what < 16)
		do_panic(goroutine);
	else if (leaving && what < 18)
		do_goexit(goroutine);
	else if (what < 52 && goroutine->depth < DEEP - 1)
		do_call(goroutine);
	else if (what < 60 && goroutine->depth)
		do_tail_call(goroutine);
	else if (goroutine->depth)
		do_return(goroutine);
}

static void start(uint64_t with)
{
	seed = with * 0x9e3779b97f4a7c15ull + 1;
	left = finished = 0;
	host_reset();
	memset(truth, 0, sizeof(truth));
	for (unsigned i = 0; i < HOST_GOROUTINES; i++) {
		goroutines[i] = (struct goroutine){.g = &host.goroutines[i]};
		move_stack(&goroutines[i]);
	}
}

/* Everything returns; then one call at the top of each stack drops what was left there. */
static void run(uint64_t with, bool leaving)
{
	start(with);
	for (unsigned i = 0; i < STEPS; i++)
		step(&goroutines[roll(HOST_GOROUTINES)], leaving);
	for (unsigned i = 0; i < HOST_GOROUTINES; i++) {
		while (goroutines[i].depth)
			do_return(&goroutines[i]);
		begin(&goroutines[i], 8);
		do_return(&goroutines[i]);
	}
	assert_true(finished > STEPS / 4);
}

static void assert_common(void)
{
	for (unsigned i = 0; i < HOST_ENTITIES; i++) {
		assert_int_equal(host.cells[i].hits, truth[i].hits);
		assert_int_equal(host.cells[i].count, truth[i].count);
		assert_int_equal(host.cells[i].sum_ns, truth[i].sum_ns);
		assert_int_equal(host.cells[i].max_ns, truth[i].max_ns);
		assert_int_equal(host.cells[i].inv_min, truth[i].inv_min);
	}
	assert_int_equal(host.nevents, finished);
	assert_int_equal(host.stats[HP_STAT_RETURN_UNMATCHED], 0);
	assert_int_equal(host.stats[HP_STAT_SHADOW_FULL], 0);
	assert_int_equal(host.stats[HP_STAT_GOROUTINE_UNKNOWN], 0);
	assert_int_equal(host.stats[HP_STAT_SHADOW_SUPERSEDED], left);
	for (unsigned i = 0; i < HOST_GOROUTINES; i++)
		assert_false(host.goroutines[i].has_shadow);
}

static void test_calls(void **state)
{
	for (uint64_t with = 1; with <= 20; with++) {
		run(with, false);
		assert_common();
		for (unsigned i = 0; i < HOST_ENTITIES; i++)
			assert_int_equal(host.cells[i].self_ns, truth[i].self_ns);
	}
}

static void test_with_panics(void **state)
{
	for (uint64_t with = 1; with <= 20; with++) {
		run(with, true);
		assert_common();
		assert_true(left > STEPS / 50);
		for (unsigned i = 0; i < HOST_ENTITIES; i++)
			assert_true(host.cells[i].self_ns <= host.cells[i].sum_ns);
	}
}

/* What is in r14 is no goroutine, another one, or one that is not on this stack: counted, untimed, nothing is kept. */
static void test_foreign_register(void **state)
{
	struct call call = {.entity = 3, .distance = 64};
	struct pt_regs regs;
	__u64 foreign[3];

	start(1);
	foreign[0] = 0x10;                                   /* not mapped */
	foreign[1] = (uintptr_t)goroutines[1].g;             /* another's */
	foreign[2] = (uintptr_t)host.threads[0].stack + 256; /* zeros */
	for (unsigned i = 0; i < HP_ARRAY_SIZE(foreign); i++) {
		regs = regs_of(&goroutines[0], &call);
		host.current = &host.threads[0];
		regs.r14 = foreign[i];
		hp_function_go_entry(&regs);
		hp_function_go_exit(&regs);
	}
	assert_int_equal(host.cells[3].hits, 3);
	assert_int_equal(host.cells[3].count, 0);
	assert_int_equal(host.stats[HP_STAT_GOROUTINE_UNKNOWN], 6);
	for (unsigned i = 0; i < HOST_GOROUTINES; i++)
		assert_false(host.goroutines[i].has_shadow);
	assert_false(host.threads[0].has_shadow || host.threads[1].has_shadow);
}

static void test_no_room(void **state)
{
	start(1);
	host.no_storage = true;
	begin(&goroutines[0], 64);
	host.no_storage = false;
	do_return(&goroutines[0]);
	assert_int_equal(host.stats[HP_STAT_GOROUTINE_FULL], 1);
	assert_int_equal(host.stats[HP_STAT_RETURN_UNMATCHED], 1);
	begin(&goroutines[0], 64);
	do_return(&goroutines[0]);
	assert_int_equal(host.stats[HP_STAT_GOROUTINE_FULL], 1);
	assert_int_equal(host.nevents, 1);
}

/* Functions that are only counted begin again, too. */
static void test_counted(void **state)
{
	struct call call = {.entity = 3, .distance = 64};
	struct pt_regs regs;

	start(1);
	regs = regs_of(&goroutines[0], &call);
	regs.cookie |= HP_COOKIE_CHECKS_STACK;
	regs.flags = 0x1;
	hp_function_count(&regs);
	regs.flags = 0;
	hp_function_count(&regs);
	assert_int_equal(host.cells[3].hits, 1);
	regs.cookie = HP_COOKIE(3, 1);
	regs.flags = 0x41;
	hp_function_count(&regs);
	assert_int_equal(host.cells[3].hits, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_with_panics),
		cmocka_unit_test(test_foreign_register),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
