/*
 * The walk on real code: this program's own stack, registers from the kernel's struct ucontext, tables that elf/cfi compiles of
 * this program and its libraries, against what the unwinder of the C++ runtime says of the same stack.
 */
#include "unwind_host.h"

#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <ucontext.h>
#include <unwind.h>

#include "base/err.h"
#include "elf/cfi.h"
#include "tables.h"

#define MAX_FRAMES 400
#ifdef __clang__
#define NOIPA __attribute__((noinline, optnone, no_sanitize("address", "undefined")))
#else
#define NOIPA __attribute__((noipa, no_sanitize("address", "undefined")))
#endif
#define NO_TAIL_CALL() __asm__ volatile("" ::: "memory")

static __u64 truth[MAX_FRAMES], ips[HP_MAX_USER_STACK];
static __u32 ntruth, n;
static __u8 end;

static int add_file(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char *path = info->dlpi_name[0] ? info->dlpi_name : "/proc/self/exe";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct hp_cfi cfi = {};
	struct hp_err err = {};

	if (fd < 0)
		return 0; /* the vdso is no file; nothing here calls it */
	assert_int_equal(hp_cfi_load(fd, path, &cfi, &err), 0);
	close(fd);
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *load = &info->dlpi_phdr[i];

		if (load->p_type == PT_LOAD && load->p_flags & PF_X)
			add_code(&cfi, info->dlpi_addr, load->p_vaddr,
				 load->p_vaddr + load->p_memsz);
	}
	hp_cfi_deinit(&cfi);
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct hp_unwind_mapping *left = a, *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

static int setup(void **state)
{
	host_setup();
	dl_iterate_phdr(add_file, NULL);
	qsort(host.space->mappings, host.space->count, sizeof(*host.space->mappings), by_start);
	return 0;
}

static int teardown(void **state)
{
	host_teardown();
	return 0;
}

static _Unwind_Reason_Code add_truth(struct _Unwind_Context *context, void *arg)
{
	if (ntruth < MAX_FRAMES && _Unwind_GetIP(context))
		truth[ntruth++] = _Unwind_GetIP(context);
	return _URC_NO_REASON;
}

static void walk(const ucontext_t *context)
{
	const greg_t *regs = context->uc_mcontext.gregs;
	static const int order[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
				    REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
				    REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};

	for (size_t i = 0; i < HP_DWARF_REGISTERS; i++)
		host.scratch->regs[i] = (__u64)regs[order[i]];
	n = hp_walk_user(host.scratch, HOST_TGID, ips, HP_MAX_USER_STACK, &end);
}

/* The stack as both see it, from here on: of this function each has its own address. */
static NOIPA void look(void)
{
	ucontext_t context;

	getcontext(&context);
	walk(&context);
	ntruth = 0;
	_Unwind_Backtrace(add_truth, NULL);
	NO_TAIL_CALL();
}

static void assert_same(void)
{
	assert_true(ntruth > 4 && n > 4);
	for (__u32 i = 1; i < n; i++)
		assert_int_equal(ips[i], truth[i]);
	if (ntruth > HP_MAX_USER_STACK) {
		assert_int_equal(n, HP_MAX_USER_STACK);
		assert_int_equal(end, HP_STACK_DEPTH);
	} else {
		assert_int_equal(n, ntruth);
		assert_int_equal(end, HP_STACK_COMPLETE);
	}
}

static NOIPA void deep(unsigned depth)
{
	if (depth)
		deep(depth - 1);
	else
		look();
	NO_TAIL_CALL();
}

/* A frame whose size nobody knew beforehand, and one that is aligned. */
static NOIPA void uneven(size_t size)
{
	char *room = __builtin_alloca(size);
	char aligned[64] __attribute__((aligned(64)));

	memset(room, 1, size);
	memset(aligned, 1, sizeof(aligned));
	if (size > 50)
		uneven(size - 50);
	else
		deep(3);
	__asm__ volatile("" ::"r"(room), "r"(aligned) : "memory");
}

static int compare(const void *a, const void *b)
{
	if (!ntruth)
		look();
	return *(const int *)a - *(const int *)b;
}

static void on_signal(int number)
{
	deep(2);
	NO_TAIL_CALL();
}

static void test_deep(void **state)
{
	deep(5);
	assert_same();
	deep(350);
	assert_same();
}

static void test_uneven(void **state)
{
	uneven(1000);
	assert_same();
}

/* Code of libc, which has no frame pointers, calls back. */
static void test_library(void **state)
{
	int numbers[] = {3, 1, 2};

	ntruth = 0;
	qsort(numbers, 3, sizeof(*numbers), compare);
	assert_same();
}

static void signalled(int flags)
{
	const struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};

	sigaction(SIGUSR1, &action, NULL);
	ntruth = 0;
	raise(SIGUSR1);
	assert_same();
}

static void test_signals(void **state)
{
	static char room[1 << 17];
	const stack_t stack = {.ss_sp = room, .ss_size = sizeof(room)};
	const stack_t off = {.ss_flags = SS_DISABLE};

	signalled(0);
	assert_int_equal(sigaltstack(&stack, NULL), 0);
	signalled(SA_ONSTACK);
	assert_int_equal(sigaltstack(&off, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_uneven),
		cmocka_unit_test(test_library),
		cmocka_unit_test(test_signals),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
