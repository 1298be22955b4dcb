/* Hand-assembled functions: where they return, what may pass through them, and what must not be trusted. */
#include "probe/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define BASE 0x401000
/* What the tests' code jumps to outside itself, near enough for a 32-bit displacement. */
#define OTHER_FUNCTION 0x402000
#define OWN_COLD       0x403000

static enum hp_body_place place(void *arg, uint64_t addr)
{
	unsigned *asked = arg;

	if (asked)
		(*asked)++;
	if (addr == OTHER_FUNCTION)
		return HP_PLACE_ENTRY;
	return addr >= OWN_COLD && addr < OWN_COLD + 0x100 ? HP_PLACE_OWN : HP_PLACE_OTHER;
}

static struct hp_body scan_at(uint64_t addr, const uint8_t *data, size_t size)
{
	const struct hp_body_code code = {data, addr, size, place, NULL};
	struct hp_body body = {.leaf = true};

	hp_body_scan(&code, &body);
	return body;
}

#define SCAN(...)                                             \
	({                                                    \
		static const uint8_t code_[] = {__VA_ARGS__}; \
		scan_at(BASE, code_, sizeof(code_));          \
	})

/* A 32-bit displacement from the end of an instruction at BASE + @end. */
#define REL32(target, end)                                                         \
	(uint8_t)((target)-BASE - (end)), (uint8_t)(((target)-BASE - (end)) >> 8), \
		(uint8_t)(((target)-BASE - (end)) >> 16), (uint8_t)(((target)-BASE - (end)) >> 24)

static void assert_exits(const struct hp_body *body, size_t n, const uint64_t *deltas)
{
	assert_null(body->unclear);
	assert_int_equal(body->nexits, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(body->exits[i], BASE + deltas[i]);
}

/* r14 is Go's goroutine: loading it anew from thread-local storage is no loss. */
static void test_goroutine_register(void **state)
{
	static const uint8_t loads[] = {0x64, 0x4c, 0x8b, 0x34, 0x25, 0xf8, 0xff, 0xff, 0xff, 0xc3};

	assert_false(SCAN(0xc3).loses_g);
	assert_false(SCAN(0x49, 0x8b, 0x46, 0x20, 0xc3).loses_g); /* mov 0x20(%r14),%rax */
	assert_false(scan_at(BASE, loads, sizeof(loads)).loses_g);
	assert_true(SCAN(0x49, 0x89, 0xc6, 0xc3).loses_g);       /* mov %rax,%r14 */
	assert_true(SCAN(0x41, 0x89, 0xc6, 0xc3).loses_g);       /* mov %eax,%r14d */
	assert_true(SCAN(0x41, 0x5e, 0xc3).loses_g);             /* pop %r14 */
	assert_true(SCAN(0x4c, 0x8b, 0x34, 0x24, 0xc3).loses_g); /* mov (%rsp),%r14 */
	assert_true(SCAN(0x4c, 0x87, 0xf0, 0xc3).loses_g);       /* xchg %r14,%rax */
}

static void test_one_ret(void **state)
{
	struct hp_body body = SCAN(0xc3);

	assert_exits(&body, 1, (uint64_t[]){0});
	assert_true(body.leaf);

	/* push %rbp; mov %rsp,%rbp; lea (%rdi,%rdi),%eax; pop %rbp; ret $8 */
	body = SCAN(0x55, 0x48, 0x89, 0xe5, 0x8d, 0x04, 0x3f, 0x5d, 0xc2, 0x08, 0x00);
	assert_exits(&body, 1, (uint64_t[]){8});
	assert_true(body.leaf);

	body = SCAN(0xf3, 0xc3); /* repz ret */
	assert_exits(&body, 1, (uint64_t[]){0});
}

static void test_several_rets(void **state)
{
	/* test %edi,%edi; je 5; mov %edi,%eax; ret; 7: xor %eax,%eax; ret; padding */
	struct hp_body body =
		SCAN(0x85, 0xff, 0x74, 0x03, 0x89, 0xf8, 0xc3, 0x31, 0xc0, 0xc3, 0x66, 0x90);

	assert_exits(&body, 2, (uint64_t[]){6, 9});
	assert_true(body.leaf);
}

static void test_no_exit(void **state)
{
	/* jmp to itself: a loop without an end */
	struct hp_body body = SCAN(0xeb, 0xfe);

	assert_null(body.unclear);
	assert_int_equal(body.nexits, 0);
}

static void test_call(void **state)
{
	struct hp_body body = SCAN(0xe8, REL32(OTHER_FUNCTION, 5), 0xc3);

	assert_exits(&body, 1, (uint64_t[]){5});
	assert_false(body.leaf);

	body = SCAN(0xff, 0xd0, 0xc3); /* call *%rax */
	assert_exits(&body, 1, (uint64_t[]){2});
	assert_false(body.leaf);

	body = SCAN(0xe8, 0x01, 0x00, 0x00, 0x00, 0xc3, 0xc3); /* of itself, one ret further */
	assert_false(body.leaf);
}

/* A signal or a cancelled thread may unwind from here. */
static void test_syscall_is_no_leaf(void **state)
{
	struct hp_body body = SCAN(0x0f, 0x05, 0xc3);

	assert_exits(&body, 1, (uint64_t[]){2});
	assert_false(body.leaf);
}

static void test_tail_call(void **state)
{
	/* test %edi,%edi; je 9; jmp other; 9: ret */
	struct hp_body body = SCAN(0x85, 0xff, 0x74, 0x05, 0xe9, REL32(OTHER_FUNCTION, 9), 0xc3);

	assert_exits(&body, 2, (uint64_t[]){4, 9});
	assert_false(body.leaf);
}

/* A probe on it would fire whether the jump is taken or not. */
static void test_conditional_tail_call(void **state)
{
	struct hp_body body = SCAN(0x85, 0xff, 0x0f, 0x84, REL32(OTHER_FUNCTION, 8), 0xc3);

	assert_non_null(body.unclear);
	assert_false(body.leaf);
}

static void test_jump_to_nowhere(void **state)
{
	struct hp_body body = SCAN(0xe9, REL32(0x410000, 5), 0xc3);

	assert_non_null(body.unclear);
	assert_false(body.leaf);

	body = SCAN(0xe9, REL32(OTHER_FUNCTION + 1, 5), 0xc3); /* into another function */
	assert_non_null(body.unclear);

	body = SCAN(0xeb, 0x01, 0xc3); /* to the first byte behind the function */
	assert_non_null(body.unclear);

	body = SCAN(0x74, 0xfd, 0xc3); /* to the last byte before it */
	assert_non_null(body.unclear);
}

static void test_jump_into_an_instruction(void **state)
{
	/* jmp 3; 2: mov $0xc3c3,%eax; ret: 3 is the first byte of the operand */
	struct hp_body body = SCAN(0xeb, 0x01, 0xb8, 0xc3, 0xc3, 0x00, 0x00, 0xc3);

	assert_non_null(body.unclear);
	assert_false(body.leaf);

	/* Backwards, and seen only after the instruction was passed. */
	body = SCAN(0xb8, 0xc3, 0xc3, 0x00, 0x00, 0x74, 0xfa, 0xc3);
	assert_non_null(body.unclear);
	assert_false(body.leaf);

	body = SCAN(0xb8, 0xc3, 0xc3, 0x00, 0x00, 0x74, 0xf9, 0xc3); /* to its beginning: fine */
	assert_exits(&body, 1, (uint64_t[]){7});
	assert_true(body.leaf);
}

static void test_undecodable(void **state)
{
	struct hp_body body = SCAN(0xc3, 0x06);

	assert_non_null(body.unclear);
	assert_false(body.leaf);

	body = SCAN(0x55, 0xe8, 0x00); /* cut inside the last instruction */
	assert_non_null(body.unclear);
	assert_false(body.leaf);

	body = SCAN(0xff, 0xff, 0xc3);
	assert_non_null(body.unclear);
}

/* A switch: which of its targets are outside is not known, but all inside are instructions. */
static void test_indirect_jump_is_no_leaf(void **state)
{
	struct hp_body body = SCAN(0xff, 0xe0, 0xc3);

	assert_false(body.leaf);
}

static void test_cold_part(void **state)
{
	static const uint8_t cold[] = {0xb8, 0x01, 0x00, 0x00, 0x00, 0xc3}; /* mov $1,%eax; ret */
	const struct hp_body_code part = {cold, OWN_COLD, sizeof(cold), place, NULL};
	/* test %edi,%edi; je cold; ret */
	struct hp_body body = SCAN(0x85, 0xff, 0x0f, 0x84, REL32(OWN_COLD, 8), 0xc3);

	assert_exits(&body, 1, (uint64_t[]){8});
	hp_body_scan(&part, &body);
	assert_null(body.unclear);
	assert_int_equal(body.nexits, 2);
	assert_int_equal(body.exits[1], OWN_COLD + 5);
}

/* What one part does not understand, the next does not mend. */
static void test_unclear_stays(void **state)
{
	static const uint8_t ret[] = {0xc3};
	const struct hp_body_code part = {ret, OWN_COLD, sizeof(ret), place, NULL};
	struct hp_body body = SCAN(0x06);
	const char *why = body.unclear;

	assert_non_null(why);
	hp_body_scan(&part, &body);
	assert_ptr_equal(body.unclear, why);
	assert_false(body.leaf);
}

static void test_too_many_exits(void **state)
{
	uint8_t rets[HP_BODY_MAX_EXITS + 1];
	struct hp_body body;

	memset(rets, 0xc3, sizeof(rets));
	body = scan_at(BASE, rets, HP_BODY_MAX_EXITS);
	assert_null(body.unclear);
	assert_int_equal(body.nexits, HP_BODY_MAX_EXITS);
	body = scan_at(BASE, rets, sizeof(rets));
	assert_non_null(body.unclear);
	assert_int_equal(body.nexits, HP_BODY_MAX_EXITS);
}

static void test_addresses_wrap(void **state)
{
	static const uint8_t jump[] = {0xeb, 0x7f, 0xc3}; /* beyond the end of the address space */
	struct hp_body body = scan_at(UINT64_MAX - 2, jump, sizeof(jump));

	assert_non_null(body.unclear);
}

static void test_calls_are_not_places(void **state)
{
	static const uint8_t call[] = {0xe8, 0x00, 0x10, 0x00, 0x00, 0xeb, 0x00, 0xc3};
	unsigned asked = 0;
	const struct hp_body_code code = {call, BASE, sizeof(call), place, &asked};
	struct hp_body body = {.leaf = true};

	hp_body_scan(&code, &body);
	assert_exits(&body, 1, (uint64_t[]){7});
	assert_int_equal(asked, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_ret),
		cmocka_unit_test(test_goroutine_register),
		cmocka_unit_test(test_several_rets),
		cmocka_unit_test(test_no_exit),
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_syscall_is_no_leaf),
		cmocka_unit_test(test_tail_call),
		cmocka_unit_test(test_conditional_tail_call),
		cmocka_unit_test(test_jump_to_nowhere),
		cmocka_unit_test(test_jump_into_an_instruction),
		cmocka_unit_test(test_undecodable),
		cmocka_unit_test(test_indirect_jump_is_no_leaf),
		cmocka_unit_test(test_cold_part),
		cmocka_unit_test(test_unclear_stays),
		cmocka_unit_test(test_too_many_exits),
		cmocka_unit_test(test_addresses_wrap),
		cmocka_unit_test(test_calls_are_not_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
