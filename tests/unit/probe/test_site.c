/*
 * First instructions (trap:U1, trap:U3) against what arch/x86/kernel/uprobes.c does with them: is_prefix_bad(),
 * good_insns_64, branch_setup_xol_ops(), push_setup_xol_ops().
 */
#include "probe/site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

struct bytes {
	const char *what;
	uint8_t code[HP_SITE_BYTES];
	size_t len;
};

#define BYTES(what, ...)                                              \
	{                                                             \
		what, {__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}) \
	}

/* The same answer whether the code ends behind the instruction or goes on. */
static void check(const struct bytes *bytes, size_t n, enum hp_site_class class)
{
	for (size_t i = 0; i < n; i++) {
		const size_t lens[] = {bytes[i].len, HP_SITE_BYTES};

		for (size_t k = 0; k < HP_ARRAY_SIZE(lens); k++) {
			struct hp_site site = hp_site_at(bytes[i].code, lens[k]);

			if (site.class != class)
				fail_msg("%s: %s", bytes[i].what, hp_site_class_name(site.class));
			assert_int_equal(site.delta, 0);
			if (class == HP_SITE_REFUSED)
				assert_non_null(site.reason);
			else
				assert_null(site.reason);
		}
	}
}

static void test_emulated(void **state)
{
	static const struct bytes emulated[] = {
		BYTES("push %rbp", 0x55),
		BYTES("push %rax", 0x50),
		BYTES("push %rdi", 0x57),
		BYTES("push %r12", 0x41, 0x54),
		BYTES("nop", 0x90),
		BYTES("xchg %ax,%ax", 0x66, 0x90),
		BYTES("jmp rel8", 0xeb, 0x10),
		BYTES("jmp rel32", 0xe9, 0x10, 0x00, 0x00, 0x00),
		BYTES("bnd jmp rel32", 0xf2, 0xe9, 0x10, 0x00, 0x00, 0x00),
		BYTES("call rel32", 0xe8, 0xfb, 0xff, 0xff, 0xff),
		BYTES("jo rel8", 0x70, 0x02),
		BYTES("jg rel8", 0x7f, 0x02),
		BYTES("je rel32", 0x0f, 0x84, 0x10, 0x00, 0x00, 0x00),
	};

	check(emulated, HP_ARRAY_SIZE(emulated), HP_SITE_EMULATED);
}

static void test_stepped(void **state)
{
	static const struct bytes stepped[] = {
		BYTES("endbr64", 0xf3, 0x0f, 0x1e, 0xfa),
		BYTES("nop4", 0x0f, 0x1f, 0x40, 0x00),
		BYTES("nop6", 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00),
		BYTES("nopl (%rax)", 0x0f, 0x1f, 0x00),
		BYTES("mov %rsp,%rbp", 0x48, 0x89, 0xe5),
		BYTES("sub $8,%rsp", 0x48, 0x83, 0xec, 0x08),
		BYTES("mov %fs:0x28,%rax", 0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0x00, 0x00, 0x00),
		BYTES("lea 5(%rip),%rax", 0x48, 0x8d, 0x05, 0x05, 0x00, 0x00, 0x00),
		BYTES("xor %eax,%eax", 0x31, 0xc0),
		BYTES("ret", 0xc3),
		BYTES("repz ret", 0xf3, 0xc3),
		BYTES("push $5", 0x6a, 0x05),
		BYTES("pushq (%rdi)", 0xff, 0x37),
		BYTES("pop %rbp", 0x5d),
		BYTES("jmp *%rax", 0xff, 0xe0),
		BYTES("jmp *5(%rip)", 0xff, 0x25, 0x05, 0x00, 0x00, 0x00),
		BYTES("call *%rax", 0xff, 0xd0),
		BYTES("jrcxz rel8", 0xe3, 0x02),
		BYTES("loop rel8", 0xe2, 0x02),
		BYTES("syscall", 0x0f, 0x05),
		BYTES("cpuid", 0x0f, 0xa2),
		BYTES("vzeroupper", 0xc5, 0xf8, 0x77),
		BYTES("rep stos", 0xf3, 0x48, 0xab),
	};

	check(stepped, HP_ARRAY_SIZE(stepped), HP_SITE_STEPPED);
}

static void test_bad_prefix(void **state)
{
	static const struct bytes refused[] = {
		BYTES("lock cmpxchg", 0xf0, 0x0f, 0xb1, 0x17),
		BYTES("lock incl", 0xf0, 0xff, 0x07),
		BYTES("cs nopw", 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00),
		BYTES("notrack jmp *%rax", 0x3e, 0xff, 0xe0),
		BYTES("es mov", 0x26, 0x8b, 0x07),
		BYTES("ss mov", 0x36, 0x8b, 0x07),
		BYTES("ds push", 0x3e, 0x55),
	};

	check(refused, HP_ARRAY_SIZE(refused), HP_SITE_REFUSED);
	for (size_t i = 0; i < HP_ARRAY_SIZE(refused); i++)
		assert_non_null(
			strstr(hp_site_at(refused[i].code, refused[i].len).reason, "prefix"));
}

static void test_traps_and_privileged(void **state)
{
	static const struct bytes refused[] = {
		BYTES("int3", 0xcc),          BYTES("int $0x80", 0xcd, 0x80),
		BYTES("int1", 0xf1),          BYTES("hlt", 0xf4),
		BYTES("iretq", 0x48, 0xcf),   BYTES("ud2", 0x0f, 0x0b),
		BYTES("cli", 0xfa),           BYTES("sti", 0xfb),
		BYTES("in (%dx),%al", 0xec),  BYTES("in $5,%al", 0xe4, 0x05),
		BYTES("out %al,(%dx)", 0xee), BYTES("insb", 0x6c),
		BYTES("outsb", 0x6e),
	};

	check(refused, HP_ARRAY_SIZE(refused), HP_SITE_REFUSED);
}

static void test_refused_by_the_step(void **state)
{
	static const struct bytes refused[] = {
		BYTES("data16 je", 0x66, 0x74, 0x02),
		BYTES("data16 je rel32", 0x66, 0x0f, 0x84, 0x10, 0x00, 0x00, 0x00),
		BYTES("data16 jmp", 0x66, 0xeb, 0x02),
		BYTES("data16 rex.W call", 0x66, 0x48, 0xe8, 0x00, 0x00, 0x00, 0x00),
		BYTES("mov %eax,%ss", 0x8e, 0xd0),
		BYTES("extrq", 0x66, 0x0f, 0x79, 0xc1),
		BYTES("xchg %r8,%rax, a nop to the kernel", 0x41, 0x90),
		BYTES("pushfq, with the trap flag", 0x9c),
		BYTES("pushfw, with the trap flag", 0x66, 0x9c),
		BYTES("nop5, a call to the kernel (trap:U2)", 0x0f, 0x1f, 0x44, 0x00, 0x00),
		BYTES("clang's nop5", 0x0f, 0x1f, 0x44, 0x00, 0x08),
		BYTES("nopw 0(%rax)", 0x66, 0x0f, 0x1f, 0x40, 0x00),
	};

	check(refused, HP_ARRAY_SIZE(refused), HP_SITE_REFUSED);
}

static void test_no_instruction(void **state)
{
	static const struct bytes refused[] = {
		BYTES("push %es", 0x06),
		BYTES("daa", 0x27),
		BYTES("pusha", 0x60),
		BYTES("lcall", 0x9a),
		BYTES("group 5, /7", 0xff, 0xff),
		BYTES("too many prefixes", 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
		      0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66),
	};
	static const uint8_t cut[] = {0x48, 0x83, 0xec, 0x08};

	check(refused, HP_ARRAY_SIZE(refused), HP_SITE_REFUSED);
	for (size_t len = 0; len < sizeof(cut); len++)
		assert_int_equal(hp_site_at(cut, len).class, HP_SITE_REFUSED);
	assert_int_equal(hp_site_at(cut, sizeof(cut)).class, HP_SITE_STEPPED);
}

static void test_names(void **state)
{
	assert_string_equal(hp_site_class_name(HP_SITE_EMULATED), "emulated");
	assert_string_equal(hp_site_class_name(HP_SITE_STEPPED), "stepped");
	assert_string_equal(hp_site_class_name(HP_SITE_REFUSED), "refused");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_emulated),
		cmocka_unit_test(test_stepped),
		cmocka_unit_test(test_bad_prefix),
		cmocka_unit_test(test_traps_and_privileged),
		cmocka_unit_test(test_refused_by_the_step),
		cmocka_unit_test(test_no_instruction),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
