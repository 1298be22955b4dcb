/* Calls of kernel functions put in place of marks; as root, on a kernel that has type information. */
#include "probe/kfunc.h"

#include <errno.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "hotpathd/abi/config.h"
#include "hotpathd/abi/functions.h"

/* The skeleton has members of the types above. */
#include "functions.skel.h"

struct fixture {
	struct hp_functions_bpf *skel;
	struct bpf_program *program;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	*state = fixture;
	fixture->skel = hp_functions_bpf__open();
	assert_non_null(fixture->skel);
	fixture->program = fixture->skel->progs.hp_function_session;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	hp_functions_bpf__destroy(fixture->skel);
	free(fixture);
	return 0;
}

static size_t count_calls(const struct fixture *fixture, unsigned kind, int32_t imm)
{
	const struct bpf_insn *insns = bpf_program__insns(fixture->program);
	size_t found = 0;

	for (size_t i = 0; i < bpf_program__insn_cnt(fixture->program); i++)
		found += insns[i].code == (BPF_JMP | BPF_CALL) && insns[i].src_reg == kind &&
			 insns[i].imm == imm;
	return found;
}

/* By any name: what matters is that the call reaches it. */
static void test_resolve(void **state)
{
	const struct hp_kfunc kfunc = {HP_MARKER_SESSION_COOKIE, "bpf_get_task_stack"};
	const struct fixture *fixture = *state;
	struct btf *btf = btf__load_vmlinux_btf();
	size_t before = count_calls(fixture, 0, HP_MARKER_SESSION_COOKIE);
	int id;

	if (!btf) {
		print_message("needs the kernel's type information\n");
		skip();
	}
	id = btf__find_by_name_kind(btf, kfunc.name, BTF_KIND_FUNC);
	btf__free(btf);
	assert_int_equal(before, 1);
	assert_true(id > 0);
	assert_int_equal(hp_kfunc_resolve(fixture->program, &kfunc, 1), 0);
	assert_int_equal(count_calls(fixture, 0, HP_MARKER_SESSION_COOKIE), 0);
	assert_int_equal(count_calls(fixture, BPF_PSEUDO_KFUNC_CALL, id), 1);
	/* The other mark and all helpers are as they were. */
	assert_int_equal(count_calls(fixture, 0, HP_MARKER_SESSION_IS_RETURN), 1);
	assert_true(count_calls(fixture, 0, BPF_FUNC_get_attach_cookie) > 0);
}

static void test_unknown(void **state)
{
	const struct hp_kfunc kfunc = {HP_MARKER_SESSION_COOKIE, "no_kernel_has_this"};
	const struct fixture *fixture = *state;

	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0) {
		print_message("needs the kernel's type information\n");
		skip();
	}
	assert_int_equal(hp_kfunc_resolve(fixture->program, &kfunc, 1), -ENOENT);
	assert_int_equal(count_calls(fixture, 0, HP_MARKER_SESSION_COOKIE), 1);
}

#define WITH_OBJECT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_OBJECT(test_resolve),
		WITH_OBJECT(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
