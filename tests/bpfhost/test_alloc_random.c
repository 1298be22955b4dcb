/*
 * Random programs on two threads, with fixed seeds, held against plain books: an allocator whose functions call and jump into each
 * other as glibc's and libstdc++'s do (trap:A1), requests that fail, that throw and that longjmp leaves, blocks from before, a
 * table that fills.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc_host.h"

#include "domains/alloc/alloc_model.h"

#define STEPS 20000

enum { MALLOC = 1, CALLOC, REALLOC, NEW, STORES, FREE, DELETE };

static const struct hp_alloc_role roles[HOST_ENTITIES] = {
	[MALLOC] = {.does = HP_ALLOC_REQUESTS,
		    .size = 0,
		    .count = HP_ALLOC_NO_ARG,
		    .block = HP_ALLOC_NO_ARG},
	[CALLOC] = {.does = HP_ALLOC_REQUESTS, .size = 1, .count = 0, .block = HP_ALLOC_NO_ARG},
	[REALLOC] = {.does = HP_ALLOC_RESIZES, .size = 1, .count = HP_ALLOC_NO_ARG, .block = 0},
	[NEW] = {.does = HP_ALLOC_REQUESTS,
		 .size = 0,
		 .count = HP_ALLOC_NO_ARG,
		 .block = HP_ALLOC_NO_ARG},
	[STORES] = {.does = HP_ALLOC_STORES, .size = 2, .count = HP_ALLOC_NO_ARG, .block = 0},
	[FREE] = {.does = HP_ALLOC_RELEASES,
		  .size = HP_ALLOC_NO_ARG,
		  .count = HP_ALLOC_NO_ARG,
		  .block = 0},
	[DELETE] = {.does = HP_ALLOC_RELEASES,
		    .size = HP_ALLOC_NO_ARG,
		    .count = HP_ALLOC_NO_ARG,
		    .block = 0},
};

/* What is true. */
static struct {
	struct hp_alloc_cell sums;
	struct {
		__u64 addr, size;
		bool known; /* the daemon saw its request, and had room for it */
	} held[HOST_BLOCKS];
	size_t nheld;
	__u64 calls;
	__u64 next;  /* address that was never given out */
	__u64 again; /* given back last, to be given out again: allocators do */
} books;

static uint64_t seed;

static uint64_t roll(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

/* A call: what its end needs. */
struct call {
	__u32 entity;
	__u64 *sp;
	bool asked, exits;
};

static struct call enter(__u32 entity, __u64 *sp, __u64 a, __u64 b, __u64 c, bool exits)
{
	struct pt_regs regs = {
		.sp = (unsigned long)sp, .di = a, .si = b, .dx = c, .cookie = HP_COOKIE(entity, 1)};
	struct call call = {.entity = entity, .sp = sp, .exits = exits};

	if (host.roles[entity].does == HP_ALLOC_RELEASES) {
		hp_alloc_release(&regs);
	} else if (exits) {
		hp_alloc_entry(&regs);
	} else {
		host.session_return = false;
		call.asked = hp_alloc_session(&regs) == 0;
		if (call.asked)
			*sp = HOST_TRAMPOLINE;
	}
	return call;
}

static __u64 leave(const struct call *call, __u64 result)
{
	struct pt_regs regs = {.sp = (unsigned long)(call->sp + 1),
			       .ax = result,
			       .cookie = HP_COOKIE(call->entity, 1)};

	if (call->exits) {
		regs.sp -= 8; /* at the ret */
		hp_alloc_exit(&regs);
	} else if (call->asked) {
		host.session_return = true;
		hp_alloc_session(&regs);
	}
	return result;
}

/* Where a call instruction of the function at @sp puts its return address. */
static __u64 *below(__u64 *sp)
{
	sp -= 1 + roll(12);
	*sp = 0x401000 +
	      8 * ++books.calls; /* a stale one that is alike would hide what comes below it */
	return sp;
}

static __u64 fresh(void)
{
	__u64 addr = books.again;

	books.again = 0;
	if (addr && roll(2))
		return addr;
	books.next += 64;
	return books.next;
}

static __u64 call_malloc(__u64 *sp, __u64 size, bool fails)
{
	struct call call = enter(MALLOC, sp, size, 0, 0, false);

	return leave(&call, fails ? 0 : fresh());
}

static void call_free(__u64 *sp, __u64 addr)
{
	enter(FREE, sp, addr, 0, 0, false);
	books.again = addr;
}

static void note_request(__u64 addr, __u64 size)
{
	size_t tracked = 0;

	for (size_t i = 0; i < books.nheld; i++)
		tracked += books.held[i].known;
	books.sums.requests++;
	books.sums.bytes += size;
	books.held[books.nheld].addr = addr;
	books.held[books.nheld].size = size;
	books.held[books.nheld].known = tracked < host.max_blocks;
	if (!books.held[books.nheld++].known) {
		books.sums.untracked++;
		books.sums.untracked_bytes += size;
	}
}

static void note_release(size_t i)
{
	books.sums.releases++;
	if (books.held[i].known)
		books.sums.released += books.held[i].size;
	else
		books.sums.unknown++;
	books.held[i] = books.held[--books.nheld];
}

static void note_end(__u64 addr, __u64 size)
{
	if (addr)
		note_request(addr, size);
	else
		books.sums.failed++;
}

static void do_malloc(__u64 *sp, __u64 size, bool fails)
{
	note_end(call_malloc(sp, size, fails), size);
}

/* calloc calls malloc, jumps to it, or does it itself. */
static void do_calloc(__u64 *sp, __u64 size, bool fails)
{
	struct call call = enter(CALLOC, sp, 3, size, 0, false);
	uint64_t how = roll(3);
	__u64 addr = how == 0   ? call_malloc(below(sp), 3 * size, fails)
		     : how == 1 ? call_malloc(sp, 3 * size, fails)
		     : fails    ? 0
				: fresh();

	leave(&call, addr);
	note_end(addr, 3 * size);
}

static void do_stores(__u64 *sp, __u64 size, bool fails)
{
	__u64 *slot = sp + 1;
	struct call call = enter(STORES, sp, (uintptr_t)slot, 16, size, false);

	*slot = call_malloc(below(sp), size + 16, fails);
	leave(&call, *slot ? 0 : 12);
	note_end(*slot, size);
}

/* In place, or as malloc, copy and free; of no block it is a malloc. */
static void do_realloc(__u64 *sp, __u64 size, bool fails)
{
	bool none = !books.nheld || roll(4) == 0;
	size_t i = none ? 0 : roll(books.nheld);
	__u64 old = none ? 0 : books.held[i].addr, addr;
	struct call call = enter(REALLOC, sp, old, size, 0, false);

	if (none) {
		addr = leave(&call, call_malloc(sp, size, fails));
		note_end(addr, size);
		return;
	}
	if (fails) {
		leave(&call, call_malloc(below(sp), size, true));
		books.sums.failed++;
		return;
	}
	addr = old;
	if (roll(2)) {
		addr = call_malloc(below(sp), size, false);
		call_free(below(sp), old);
		if (books.again == addr)
			books.again = 0;
	}
	leave(&call, addr);
	note_release(i);
	note_request(addr, size);
}

/* operator new calls malloc until that succeeds, or throws: nobody sees its end then. */
static void do_new(__u64 *sp, __u64 size, bool fails)
{
	struct call call = enter(NEW, sp, size, 0, 0, true);
	__u64 addr = call_malloc(below(sp), size, fails);

	if (addr) {
		note_request(leave(&call, addr), size);
		books.sums.exits++;
		return;
	}
	books.sums.missed++;
	*sp = roll(1000); /* the stack is somebody else's from now on */
}

static void do_release(__u64 *sp)
{
	size_t i = roll(books.nheld);
	__u64 addr = books.held[i].addr;
	uint64_t how = roll(3);

	if (how)
		enter(DELETE, sp, addr, 0, 0, false);
	if (roll(8) == 0)
		enter(FREE, below(sp), 0, 0, 0, false); /* of nothing */
	call_free(how == 1 ? below(sp) : sp, addr);
	note_release(i);
}

static void step(struct host_thread *thread)
{
	/* Deeper than what came before, or not: gone requests are seen from everywhere. */
	__u64 *sp = below(thread->stack + HOST_WORDS - 2 - 64 * roll(8)), size = 1 + roll(1000);
	bool fails = roll(10) == 0;
	uint64_t what = roll(100);

	host.current = thread;
	if (books.nheld && (what < 45 || books.nheld >= HOST_BLOCKS / 2))
		do_release(sp);
	else if (what < 60)
		do_malloc(sp, size, fails);
	else if (what < 70)
		do_calloc(sp, size, fails);
	else if (what < 80)
		do_realloc(sp, size, fails);
	else if (what < 90)
		do_new(sp, size, fails);
	else
		do_stores(sp, size, fails);
}

static void start(uint64_t with, size_t max_blocks)
{
	seed = with * 0x9e3779b97f4a7c15ull + 1;
	host_reset();
	host.max_blocks = max_blocks;
	memset(&books, 0, sizeof(books));
	books.next = 0x10000;
	memcpy(host.roles, roles, sizeof(roles));
	for (size_t i = 0; i < HOST_ENTITIES; i++)
		host.roles[i].generation = 1;
	for (size_t i = 0; i < 50; i++) { /* from before we came */
		books.held[i].addr = fresh();
		books.held[i].size = 1000;
	}
	books.nheld = 50;
}

#define SAME(member) assert_int_equal(host.cell.member, books.sums.member)

/* @exact: also what became of blocks that are not in the table. */
static void check(bool exact)
{
	struct hp_alloc_held held = hp_alloc_held(&host.cell);
	__u64 blocks = 0, bytes = 0;

	for (size_t i = 0; i < books.nheld; i++) {
		blocks += books.held[i].known;
		bytes += books.held[i].known ? books.held[i].size : 0;
	}
	SAME(requests);
	SAME(bytes);
	SAME(failed);
	SAME(released);
	SAME(untracked);
	SAME(untracked_bytes);
	SAME(exits);
	if (exact) {
		SAME(releases);
		SAME(unknown);
	}
	assert_int_equal(host.cell.releases - host.cell.unknown,
			 books.sums.releases - books.sums.unknown);
	assert_true(host.cell.unknown <= books.sums.unknown);
	/* The last one of each thread may not have been found out. */
	assert_in_range(host.cell.missed + 2, books.sums.missed, books.sums.missed + 2);
	assert_int_equal(host.cell.replaced, 0);
	assert_int_equal(held.blocks, blocks);
	assert_int_equal(held.bytes, bytes);
	assert_int_equal(host.nblocks, blocks);
}

static void run(size_t max_blocks)
{
	for (uint64_t with = 1; with <= 10; with++) {
		start(with, max_blocks);
		for (unsigned i = 0; i < STEPS; i++)
			step(&host.threads[roll(2)]);
		check(max_blocks == HOST_BLOCKS);
	}
}

static void test_plenty(void **state)
{
	run(HOST_BLOCKS);
}

/* One that is released by a thread, given to another one and released by the first again is taken for released once. */
static void test_table_full(void **state)
{
	run(16);
}

/* Without room no block is known; each is released once all the same, by operator delete and the free that it calls. */
static void test_no_room(void **state)
{
	__u64 *sp;

	start(1, 0);
	sp = below(host.threads[0].stack + HOST_WORDS - 2);
	for (int i = 0; i < 2; i++) {
		struct call call = enter(MALLOC, sp, 40, 0, 0, false);

		leave(&call, 0x5000);
		enter(DELETE, sp, 0x5000, 0, 0, false);
		call_free(below(sp), 0x5000);
	}
	assert_int_equal(host.cell.untracked, 2);
	assert_int_equal(host.cell.releases, 2);
	assert_int_equal(host.cell.unknown, 2);
	assert_int_equal(hp_alloc_held(&host.cell).bytes, 0);
}

/* longjmp out of a hook of malloc's: what is further up the stack says that the request is gone. */
static void test_jumped_out(void **state)
{
	__u64 *sp;

	start(1, HOST_BLOCKS);
	sp = host.threads[0].stack + HOST_WORDS / 2;
	enter(MALLOC, sp, 10, 0, 0, false);
	enter(MALLOC, below(sp), 11, 0, 0, false);
	do_malloc(sp + 1, 7, false);
	assert_int_equal(host.cell.missed, 1);
	assert_int_equal(host.cell.requests, 1);
	assert_int_equal(host.cell.bytes, 7);
}

/* A thread's block is released by another one, and its address given out unseen. */
static void test_reused_unseen(void **state)
{
	__u64 *sp;
	struct call call;

	start(1, HOST_BLOCKS);
	sp = below(host.threads[0].stack + HOST_WORDS - 2);
	for (int i = 0; i < 2; i++) {
		call = enter(MALLOC, sp, 40, 0, 0, false);
		leave(&call, 0x5000);
	}
	assert_int_equal(host.cell.replaced, 1);
	assert_int_equal(host.cell.replaced_bytes, 40);
	assert_int_equal(hp_alloc_held(&host.cell).bytes, 40);
	host.current = &host.threads[1];
	call_free(below(host.threads[1].stack + HOST_WORDS - 2), 0x5000);
	assert_int_equal(hp_alloc_held(&host.cell).blocks, 0);
}

/* After a link was replaced, or when told to stop, nothing begins. */
static void test_off(void **state)
{
	__u64 *sp;

	start(1, HOST_BLOCKS);
	sp = below(host.threads[0].stack + HOST_WORDS - 2);
	host.roles[MALLOC].generation = 2;
	assert_false(enter(MALLOC, sp, 40, 0, 0, false).asked);
	host.roles[MALLOC].generation = 1;
	hp_alloc_alive_until_ns = 0;
	assert_false(enter(MALLOC, sp, 40, 0, 0, false).asked);
	assert_int_equal(host.cell.missed, 0);
	hp_alloc_alive_until_ns = 1; /* the daemon is late */
	assert_false(enter(MALLOC, sp, 40, 0, 0, false).asked);
	assert_int_equal(host.cell.missed, 1);
	host.threads[0].task.tgid = 5;
	enter(FREE, sp, 0x5000, 0, 0, false);
	assert_int_equal(host.cell.releases, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plenty),     cmocka_unit_test(test_table_full),
		cmocka_unit_test(test_jumped_out), cmocka_unit_test(test_reused_unseen),
		cmocka_unit_test(test_no_room),    cmocka_unit_test(test_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
