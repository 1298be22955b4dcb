/*
 * The kernel's word on hp_site_at(): it must take a probe on every instruction that we call a site. All
 * opcodes of one and two bytes with some prefixes and operands, in a file that is mapped but never run; as root.
 */
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/vec.h"
#include "probe/bpfsys.h"
#include "probe/kfeat.h"
#include "probe/site.h"

/* Apart enough that no two share a line of the single-step area's copy. */
#define STRIDE 32

struct code {
	uint8_t bytes[STRIDE];
};

struct corpus {
	HP_VEC(struct code) codes;
	HP_VEC(uint64_t)
	good, bad; /* file offsets: those that may be probed, those with a bad prefix */
	char path[64];
	void *mapped;
	size_t size;
	int fd;
};

/* A prefix behind REX is no instruction that anybody writes; the kernel takes REX for it. */
static bool has_rex(const uint8_t *prefix, size_t n)
{
	return n && (prefix[n - 1] & 0xf0) == 0x40;
}

static void add_code(struct corpus *corpus, const uint8_t *prefix, size_t nprefix, int map,
		     uint8_t opcode, uint8_t modrm)
{
	struct code code = {0};
	uint64_t offset = corpus->codes.len * STRIDE;
	struct hp_site site;
	size_t n = nprefix;

	memcpy(code.bytes, prefix, nprefix);
	if (map)
		code.bytes[n++] = 0x0f;
	code.bytes[n++] = opcode;
	code.bytes[n++] = modrm;
	site = hp_site_at(code.bytes, HP_SITE_BYTES);
	assert_int_equal(hp_vec_push(&corpus->codes, code), 0);
	if (site.class != HP_SITE_REFUSED)
		assert_int_equal(hp_vec_push(&corpus->good, offset), 0);
	else if (strstr(site.reason, "prefix") && !has_rex(prefix, nprefix))
		assert_int_equal(hp_vec_push(&corpus->bad, offset), 0);
}

static void add_codes(struct corpus *corpus)
{
	static const struct {
		uint8_t bytes[2];
		size_t len;
	} prefixes[] = {{{0}, 0},    {{0x66}, 1},       {{0xf2}, 1},      {{0xf3}, 1},
			{{0x48}, 1}, {{0x41}, 1},       {{0x64}, 1},      {{0xf0}, 1},
			{{0x2e}, 1}, {{0x66, 0x48}, 2}, {{0x66, 0x2e}, 2}};
	static const uint8_t modrms[] = {0xc0, 0x05, 0x47, 0xd0, 0xf8};

	for (size_t p = 0; p < HP_ARRAY_SIZE(prefixes); p++) {
		for (int opcode = 0; opcode < 512; opcode++) {
			for (size_t m = 0; m < HP_ARRAY_SIZE(modrms); m++)
				add_code(corpus, prefixes[p].bytes, prefixes[p].len, opcode >> 8,
					 (uint8_t)opcode, modrms[m]);
		}
	}
}

static int link_range(const struct corpus *corpus, int prog, const uint64_t *offsets, size_t n)
{
	const struct hp_multi multi = {
		.path = corpus->path,
		.pid = getpid(),
		.offsets = offsets,
		.len = (uint32_t)n,
	};

	return hp_bpfsys_link_multi(prog, HP_ATTACH_UPROBE_MULTI, &multi);
}

static void print_code(const char *what, const struct corpus *corpus, uint64_t offset)
{
	const struct code *code = &corpus->codes.data[offset / STRIDE];

	print_message("%s:", what);
	for (int i = 0; i < 8; i++)
		print_message(" %02x", code->bytes[i]);
	print_message("\n");
}

/* Number of refused ones among @offsets, each printed. */
static unsigned find_refused(const struct corpus *corpus, int prog, const uint64_t *offsets,
			     size_t n)
{
	int fd = n ? link_range(corpus, prog, offsets, n) : -1;

	if (n == 0)
		return 0;
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (n > 1)
		return find_refused(corpus, prog, offsets, n / 2) +
		       find_refused(corpus, prog, offsets + n / 2, n - n / 2);
	print_code(hp_err_name(fd), corpus, offsets[0]);
	return 1;
}

static int setup(void **state)
{
	struct corpus *corpus = calloc(1, sizeof(*corpus));

	assert_non_null(corpus);
	*state = corpus;
	add_codes(corpus);
	corpus->size = corpus->codes.len * STRIDE;
	corpus->fd = memfd_create("codes", MFD_CLOEXEC);
	assert_true(corpus->fd >= 0);
	assert_int_equal(write(corpus->fd, corpus->codes.data, corpus->size), corpus->size);
	corpus->mapped =
		mmap(NULL, corpus->size, PROT_READ | PROT_EXEC, MAP_PRIVATE, corpus->fd, 0);
	assert_ptr_not_equal(corpus->mapped, MAP_FAILED);
	snprintf(corpus->path, sizeof(corpus->path), "/proc/self/fd/%d", corpus->fd);
	return 0;
}

static int teardown(void **state)
{
	struct corpus *corpus = *state;

	munmap(corpus->mapped, corpus->size);
	close(corpus->fd);
	hp_vec_free(&corpus->codes);
	hp_vec_free(&corpus->good);
	hp_vec_free(&corpus->bad);
	free(corpus);
	return 0;
}

static int load_program(void)
{
	int prog = -1;

	if (geteuid() == 0 && hp_kfeat_has(HP_KFEAT_UPROBE_MULTI))
		prog = hp_bpfsys_load_empty(BPF_PROG_TYPE_KPROBE, HP_ATTACH_UPROBE_MULTI);
	if (prog < 0) {
		print_message("needs root and uprobe_multi links\n");
		skip();
	}
	return prog;
}

static void test_sites_are_taken(void **state)
{
	const struct corpus *corpus = *state;
	HP_AUTO_FD int prog = load_program();

	print_message("%zu codes, %zu of them sites\n", corpus->codes.len, corpus->good.len);
	assert_true(corpus->good.len > 1000);
	assert_int_equal(find_refused(corpus, prog, corpus->good.data, corpus->good.len), 0);
}

/* We lose nothing by refusing these: the kernel does, too. */
static void test_bad_prefixes_are_refused(void **state)
{
	const struct corpus *corpus = *state;
	HP_AUTO_FD int prog = load_program();
	unsigned accepted = 0;

	assert_true(corpus->bad.len > 100);
	/* Each costs a grace period, so not all of them. */
	for (size_t i = 0; i < corpus->bad.len; i += corpus->bad.len / 50) {
		HP_AUTO_FD int fd = link_range(corpus, prog, &corpus->bad.data[i], 1);

		if (fd >= 0)
			print_code("accepted", corpus, corpus->bad.data[i]);
		accepted += fd >= 0;
	}
	assert_int_equal(accepted, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sites_are_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_prefixes_are_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
