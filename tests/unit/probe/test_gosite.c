/*
 * trap:U4: the jump of Go's stack check, and what only looks like it. This program's own code is the module; what is
 * expected stands beside each function: the label ..._site, at the instruction that should get the probe.
 */
#include "probe/gosite.h"

#include "own.h"

/* clang-format off */
#define BODY "sub $24,%rsp\nadd $24,%rsp\nret\n"
#define GROW(name) "mov %rax,8(%rsp)\ncall go_morestack\nmov 8(%rsp),%rax\njmp " #name "\n"

FUNCTION(go_morestack, SITE(go_morestack) "push %rax\npop %rax\nret");

/* The three forms of Go 1.17 and later, by the size of the frame; the jump may be short or near. */
FUNCTION(go_small, "cmp 0x10(%r14),%rsp\n" SITE(go_small) "jbe 1f\n" BODY "1: " GROW(go_small));
FUNCTION(go_far, "cmp 0x10(%r14),%rsp\n" SITE(go_far) "jbe 1f\n" BODY ".skip 200,0x90\n1: " GROW(go_far));
FUNCTION(go_middle, "lea -0xa0(%rsp),%r12\ncmp 0x10(%r14),%r12\n" SITE(go_middle) "jbe 1f\n" BODY "1: " GROW(go_middle));
FUNCTION(go_huge, "mov %rsp,%r12\nsub $0x1770,%r12\njb 1f\ncmp 0x10(%r14),%r12\n" SITE(go_huge) "jbe 1f\n" BODY
	"1: " GROW(go_huge));
/* On the scheduler's stack the other limit counts. */
FUNCTION(go_system, "cmp 0x18(%r14),%rsp\n" SITE(go_system) "jbe 1f\n" BODY "1: " GROW(go_system));
/* Before 1.17, and assembly since. */
FUNCTION(go_old, "mov %fs:-8,%rcx\ncmp 0x10(%rcx),%rsp\n" SITE(go_old) "jbe 1f\n" BODY "1: " GROW(go_old));
FUNCTION(go_old_huge, "mov %fs:-8,%rcx\nmov 0x10(%rcx),%rsi\ncmp $-1314,%rsi\nje 1f\nlea 0x370(%rsp),%rax\nsub %rsi,%rax\n"
	"cmp $0x16e0,%rax\n" SITE(go_old_huge) "jbe 1f\n" BODY "1: " GROW(go_old_huge));

/* No check: as in any language. */
FUNCTION(go_leaf, "mov %rax,%rcx\n" SITE(go_leaf) "nop\nret");
FUNCTION(go_compares, "cmp $10,%rax\n" SITE(go_compares) "jbe 1f\nmov $1,%eax\nret\n1: ret");
FUNCTION(go_calls_there, "cmp 0x10(%r14),%rsp\n" SITE(go_calls_there) "jbe 1f\nret\n1: call go_morestack\nret");
/* Jumps back without a call: rounds of a loop, which would count as calls. */
FUNCTION(go_loops, SITE(go_loops) "cmp 0x10(%r14),%rsp\njbe 1f\nret\n1: dec %rax\njmp go_loops\n");
/* The stack pointer has moved, or control has left, before the check. */
FUNCTION(go_late, SITE(go_late) "sub $8,%rsp\ncmp 0x10(%r14),%rsp\njbe 1f\nadd $8,%rsp\nret\n1: " GROW(go_late));
FUNCTION(go_later, SITE(go_later) "call go_morestack\ncmp 0x10(%r14),%rsp\njbe 1f\nret\n1: " GROW(go_later));
/* The way back leads to another function. */
FUNCTION(go_elsewhere, "cmp 0x10(%r14),%rsp\n" SITE(go_elsewhere) "jbe 1f\nret\n1: " GROW(go_small));
/* clang-format on */

static struct hp_gosite choose(const struct own *own, const char *name, size_t cut)
{
	struct hp_sym sym = own_symbol(own, name);
	size_t left;
	const uint8_t *code = hp_text_at(&own->text, sym.addr, &left);

	assert_non_null(code);
	return hp_gosite_choose(code, sym.size - cut, sym.addr, own->targets);
}

static void check(const struct own *own, const char *name, uint32_t delta, bool checks, bool by_r14,
		  enum hp_site_class class)
{
	struct hp_gosite gosite = choose(own, name, 0);

	if (gosite.site.class != class || gosite.checks != checks || gosite.by_r14 != by_r14 ||
	    (class != HP_SITE_REFUSED && gosite.site.delta != delta))
		fail_msg("%s: %s at +%u, checks %d, by r14 %d", name,
			 hp_site_class_name(gosite.site.class), gosite.site.delta, gosite.checks,
			 gosite.by_r14);
}

#define CHECK(name, checks, by_r14, class) \
	check(*state, #name, name##_delta, checks, by_r14, HP_SITE_##class)

static void test_checks(void **state)
{
	CHECK(go_small, true, true, EMULATED);
	CHECK(go_far, true, true, EMULATED);
	CHECK(go_middle, true, true, EMULATED);
	CHECK(go_huge, true, true, EMULATED);
	CHECK(go_system, true, true, EMULATED);
}

static void test_older(void **state)
{
	CHECK(go_old, true, false, EMULATED);
	CHECK(go_old_huge, true, false, EMULATED);
}

static void test_without(void **state)
{
	CHECK(go_leaf, false, false, EMULATED);
	CHECK(go_compares, false, false, EMULATED);
	CHECK(go_calls_there, false, false, EMULATED);
	CHECK(go_elsewhere, false, false, EMULATED);
}

/* What begins again in a way that is not understood gets no probe at its entry. */
static void test_refused(void **state)
{
	CHECK(go_loops, false, false, REFUSED);
	CHECK(go_late, false, false, REFUSED);
	CHECK(go_later, false, false, REFUSED);
}

/* A symbol of the wrong size: the way back is not in it. */
static void test_cut(void **state)
{
	struct hp_gosite gosite = choose(*state, "go_small", 2);

	assert_false(gosite.checks);
	gosite = choose(*state, "go_small", own_symbol(*state, "go_small").size);
	assert_false(gosite.checks);
	assert_int_equal(gosite.site.class, HP_SITE_REFUSED); /* no code at all */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checks),  cmocka_unit_test(test_older),
		cmocka_unit_test(test_without), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, own_setup, own_teardown);
}
