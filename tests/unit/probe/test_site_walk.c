/*
 * Where the walk from the entry stops, a function per rule: this program's own code is the module. What is expected
 * stands beside each function: the label ..._site, at the instruction that should get the probe.
 */
#include "probe/site.h"

#include "own.h"

/* clang-format off */
FUNCTION(walk_push, SITE(walk_push) "push %rbp\npop %rbp\nret");
FUNCTION(walk_endbr, "endbr64\n" SITE(walk_endbr) "push %rbp\npop %rbp\nret");
FUNCTION(walk_mov, "mov %rdi,%rax\nlea 8(%rsp),%rcx\n" SITE(walk_mov) "push %rbx\npop %rbx\nret");
FUNCTION(walk_jcc, "test %rdi,%rdi\n" SITE(walk_jcc) "je 1f\nmov $1,%eax\n1: ret");
FUNCTION(walk_jmp, "mov $1,%eax\n" SITE(walk_jmp) "jmp 1f\n.skip 8,0x90\n1: ret");
FUNCTION(walk_call, "mov $1,%eax\n" SITE(walk_call) "call walk_push\nret");
FUNCTION(walk_nop, "mov $1,%eax\n" SITE(walk_nop) "nop\nret");
FUNCTION(walk_red_zone, "mov %rdi,-8(%rsp)\nmov -8(%rsp),%rax\n" SITE(walk_red_zone) "je 1f\n1: ret");

/* For reading arguments: before the first change of an argument register, or of memory. */
FUNCTION(intact_mov, "mov %rdi,%rax\nxor %r10d,%r10d\n" SITE(intact_mov) "push %rbx\npop %rbx\nret");
FUNCTION(intact_first, SITE(intact_first) "mov %esi,%edi\npush %rbx\npop %rbx\nret");
FUNCTION(intact_low_byte, SITE(intact_low_byte) "movzbl %dl,%eax\nmov $1,%cl\npush %rbx\npop %rbx\nret");
FUNCTION(intact_r9, SITE(intact_r9) "mov $1,%eax\nxor %r9d,%r9d\npush %rbx\npop %rbx\nret");
FUNCTION(intact_hidden, SITE(intact_hidden) "mov %edi,%eax\nmul %r10d\npush %rbx\npop %rbx\nret");
FUNCTION(intact_memory, SITE(intact_memory) "mov %eax,-8(%rsp)\npush %rbx\npop %rbx\nret");
FUNCTION(intact_jcc, "test %rdi,%rdi\n" SITE(intact_jcc) "je 1f\nmov %rsi,%rdi\n1: ret");
FUNCTION(intact_lock, SITE(intact_lock) "lock incl -64(%rsp)\nmov $1,%eax\nret");

/* The stack pointer changes before anything cheap comes. */
FUNCTION(walk_sub, SITE(walk_sub) "sub $24,%rsp\npush %rbx\npop %rbx\nadd $24,%rsp\nret");
FUNCTION(walk_enter, SITE(walk_enter) "endbr64\nlea -8(%rsp),%rsp\nnop\nlea 8(%rsp),%rsp\nret");
FUNCTION(walk_xchg, SITE(walk_xchg) "mov %rsp,%rax\nxchg %rax,%rsp\nnop\nret");
FUNCTION(walk_pop, SITE(walk_pop) "mov $1,%eax\npop %rcx\npush %rcx\nret");
FUNCTION(walk_esp, SITE(walk_esp) "endbr64\nmov %esp,%esp\nnop\nret");

/* Control leaves before anything cheap comes. */
FUNCTION(walk_ret, SITE(walk_ret) "mov $1,%eax\nret\npush %rax\npop %rax\nret");
FUNCTION(walk_indirect, SITE(walk_indirect) "mov $1,%eax\njmp *%rdi\nnop\nret");
FUNCTION(walk_indirect_call, SITE(walk_indirect_call) "mov $1,%eax\ncall *%rdi\nnop\nret");
FUNCTION(walk_syscall, SITE(walk_syscall) "mov $39,%eax\nsyscall\nnop\nret");

/* A probe on the first round of a loop fires in each; recursion is another matter. */
FUNCTION(walk_rounds, SITE(walk_rounds) "dec %rdi\njnz walk_rounds\nret");
FUNCTION(walk_rounds_jump, SITE(walk_rounds_jump) "test %rdi,%rdi\nje 1f\ndec %rdi\njmp walk_rounds_jump\n1: ret");
FUNCTION(walk_tail_self, SITE(walk_tail_self) "push %rdi\npop %rdi\njmp walk_tail_self");
FUNCTION(walk_rounds_later, SITE(walk_rounds_later) "push %rax\n1: dec %rdi\njnz 1b\npop %rax\nret");
FUNCTION(walk_recursion, "test %rdi,%rdi\n" SITE(walk_recursion) "je 1f\ndec %rdi\ncall walk_recursion\n1: ret");

/* trap:U2: no 5-byte nop, be it behind the entry, the entry, or better than a refused entry. */
FUNCTION(walk_nop5_inside, SITE(walk_nop5_inside) "mov %rdi,-8(%rsp)\n.byte 0x0f,0x1f,0x44,0,0\nret");
FUNCTION(walk_nop5_refused, "lock incl (%rdi)\n.byte 0x0f,0x1f,0x44,0,0\n" SITE(walk_nop5_refused) "ret");
FUNCTION(walk_nop5_only, ".byte 0x0f,0x1f,0x44,0,0\n" SITE(walk_nop5_only) "ret");
FUNCTION(walk_nop5_entry, ".byte 0x0f,0x1f,0x44,0,0\n" SITE(walk_nop5_entry) "push %rbx\npop %rbx\nret");

/* trap:U3: past an entry that the kernel refuses, to the first instruction that it takes. */
FUNCTION(walk_lock, "lock incl -64(%rsp)\n" SITE(walk_lock) "mov $1,%eax\nret");
FUNCTION(walk_lock_push, "lock incl -64(%rsp)\nmov $1,%eax\n" SITE(walk_lock_push) "push %rbx\npop %rbx\nret");
FUNCTION(walk_lock_ret, "lock incl -64(%rsp)\n" SITE(walk_lock_ret) "ret");
FUNCTION(walk_lock_only, SITE(walk_lock_only) "lock incl -64(%rsp)\nud2");

/* A loop's head between the entry and the push: what follows runs more than once. */
FUNCTION(walk_loop, SITE(walk_loop) "mov $3,%ecx\n1: mov %ecx,%eax\npush %rax\npop %rax\ndec %ecx\njne 1b\nret");
FUNCTION(walk_loop_at_site, SITE(walk_loop_at_site) "mov $3,%ecx\n1: push %rax\npop %rax\ndec %ecx\njne 1b\nret");
FUNCTION(walk_loop_behind, "mov $3,%ecx\n" SITE(walk_loop_behind) "push %rax\n1: dec %ecx\njne 1b\npop %rax\nret");
/* The jump comes from another function, by name and by a pointer in data. */
FUNCTION(walk_shared, SITE(walk_shared) "mov $1,%eax\nwalk_shared_inner: push %rax\npop %rax\nret");
FUNCTION(walk_sharer, SITE(walk_sharer) "jmp walk_shared_inner\nret");
FUNCTION(walk_pointed, SITE(walk_pointed) "mov $1,%eax\nwalk_pointed_inner: push %rax\npop %rax\nret");
asm(".pushsection .data\n.balign 8\n.quad walk_pointed_inner\n.popsection");
/* A switch whose table of 32-bit offsets leads back to the push. */
FUNCTION(walk_switch, SITE(walk_switch) "mov $1,%eax\nwalk_switch_inner: push %rax\npop %rax\nlea walk_table(%rip),%rdx\n"
	"movslq (%rdx,%rax,4),%rax\nadd %rdx,%rax\njmp *%rax\nwalk_switch_end: ret");
asm(".pushsection .rodata\n.balign 4\nwalk_table: .long walk_switch_end-walk_table, walk_switch_inner-walk_table\n"
	".popsection");
/* Labels as differences from one's own code: nobody knows where it goes. */
FUNCTION(walk_vague, SITE(walk_vague) "mov $1,%eax\nnop\nlea 1f(%rip),%rdx\nadd %rdi,%rdx\njmp *%rdx\n1: ret");
/* clang-format on */

static void check(const struct own *own, const char *name, uint32_t delta, enum hp_site_class class,
		  bool intact)
{
	struct hp_sym sym = own_symbol(own, name);
	size_t left;
	const uint8_t *code = hp_text_at(&own->text, sym.addr, &left);
	struct hp_site site;

	assert_non_null(code);
	site = (intact ? hp_site_choose_intact : hp_site_choose)(
		code, sym.size < HP_SITE_BYTES ? sym.size : HP_SITE_BYTES, sym.addr, own->targets);
	if (site.class != class || (class != HP_SITE_REFUSED && site.delta != delta))
		fail_msg("%s: %s at +%u, not %s at +%u", name, hp_site_class_name(site.class),
			 site.delta, hp_site_class_name(class), delta);
}

#define CHECK(name, class)        check(*state, #name, name##_delta, class, false)
#define CHECK_INTACT(name, class) check(*state, #name, name##_delta, class, true)

static void test_moves(void **state)
{
	CHECK(walk_push, HP_SITE_EMULATED);
	CHECK(walk_endbr, HP_SITE_EMULATED);
	CHECK(walk_mov, HP_SITE_EMULATED);
	CHECK(walk_jcc, HP_SITE_EMULATED);
	CHECK(walk_jmp, HP_SITE_EMULATED);
	CHECK(walk_call, HP_SITE_EMULATED);
	CHECK(walk_nop, HP_SITE_EMULATED);
	CHECK(walk_recursion, HP_SITE_EMULATED);
	CHECK(walk_red_zone, HP_SITE_EMULATED);
}

static void test_stack_pointer(void **state)
{
	CHECK(walk_sub, HP_SITE_STEPPED);
	CHECK(walk_enter, HP_SITE_STEPPED);
	CHECK(walk_xchg, HP_SITE_STEPPED);
	CHECK(walk_pop, HP_SITE_STEPPED);
	CHECK(walk_esp, HP_SITE_STEPPED);
}

static void test_control(void **state)
{
	CHECK(walk_ret, HP_SITE_STEPPED);
	CHECK(walk_indirect, HP_SITE_STEPPED);
	CHECK(walk_indirect_call, HP_SITE_STEPPED);
	CHECK(walk_syscall, HP_SITE_STEPPED);
	CHECK(walk_rounds, HP_SITE_REFUSED);
	CHECK(walk_rounds_jump, HP_SITE_REFUSED);
	CHECK(walk_tail_self, HP_SITE_EMULATED);
	CHECK(walk_rounds_later, HP_SITE_EMULATED);
}

static void test_traps(void **state)
{
	CHECK(walk_nop5_inside, HP_SITE_STEPPED);
	CHECK(walk_nop5_entry, HP_SITE_EMULATED);
	CHECK(walk_nop5_refused, HP_SITE_STEPPED);
	CHECK(walk_nop5_only, HP_SITE_STEPPED);
	CHECK(walk_lock, HP_SITE_STEPPED);
	CHECK(walk_lock_push, HP_SITE_EMULATED);
	CHECK(walk_lock_ret, HP_SITE_STEPPED);
	CHECK(walk_lock_only, HP_SITE_REFUSED);
}

static void test_targets(void **state)
{
	CHECK(walk_loop, HP_SITE_STEPPED);
	CHECK(walk_loop_at_site, HP_SITE_STEPPED);
	CHECK(walk_loop_behind, HP_SITE_EMULATED);
	CHECK(walk_shared, HP_SITE_STEPPED);
	CHECK(walk_sharer, HP_SITE_EMULATED);
	CHECK(walk_pointed, HP_SITE_STEPPED);
	CHECK(walk_switch, HP_SITE_STEPPED);
	CHECK(walk_vague, HP_SITE_STEPPED);
}

static void test_intact(void **state)
{
	CHECK_INTACT(intact_mov, HP_SITE_EMULATED);
	CHECK_INTACT(intact_first, HP_SITE_STEPPED);
	CHECK_INTACT(intact_low_byte, HP_SITE_STEPPED);
	CHECK_INTACT(intact_r9, HP_SITE_STEPPED);
	CHECK_INTACT(intact_hidden, HP_SITE_STEPPED);
	CHECK_INTACT(intact_memory, HP_SITE_STEPPED);
	CHECK_INTACT(intact_jcc, HP_SITE_EMULATED);
	CHECK_INTACT(intact_lock, HP_SITE_REFUSED);
	CHECK_INTACT(walk_sub, HP_SITE_STEPPED);
	CHECK_INTACT(walk_push, HP_SITE_EMULATED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moves),   cmocka_unit_test(test_stack_pointer),
		cmocka_unit_test(test_control), cmocka_unit_test(test_traps),
		cmocka_unit_test(test_targets), cmocka_unit_test(test_intact),
	};

	return cmocka_run_group_tests(tests, own_setup, own_teardown);
}
