/* The bpf system call by hand: programs, links and refusals, as the kernel tells them back. Needs root. */
#include "probe/bpfsys.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "unit/probe/counter.h"
#include "unit/probe/mapping.h"

/* Code of this test that is called nowhere else. */
__attribute__((noipa)) static unsigned target_one(unsigned x)
{
	return x * 3 + 1;
}

__attribute__((noipa)) static unsigned target_two(unsigned x)
{
	return x * 5 + 2;
}

static struct counter counter = {-1, -1};

static int setup(void **state)
{
	counter = counter_new();
	return 0;
}

static int teardown(void **state)
{
	if (counter.prog >= 0)
		close(counter.prog);
	if (counter.map >= 0)
		close(counter.map);
	return 0;
}

static void need_links(void)
{
	if (counter.prog >= 0)
		return;
	print_message("needs root and uprobe_multi (kernel 6.6)\n");
	skip();
}

/* The value of "@key:" in the description that the kernel gives of @fd, -1 without. */
static long long fdinfo(int fd, const char *key)
{
	char path[64], line[128], format[64];
	long long value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	snprintf(format, sizeof(format), "%s: %%lli", key);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, format, &value) == 1)
			break;
	}
	fclose(file);
	return value;
}

static uint64_t cookie(uint32_t entity, uint32_t generation)
{
	return (uint64_t)generation << 32 | entity;
}

static void test_load_empty(void **state)
{
	static const enum bpf_prog_type types[] = {BPF_PROG_TYPE_KPROBE,
						   BPF_PROG_TYPE_SOCKET_FILTER};

	need_links();
	for (size_t i = 0; i < HP_ARRAY_SIZE(types); i++) {
		HP_AUTO_FD int prog = hp_bpfsys_load_empty(types[i], 0);

		assert_true(prog >= 0);
		assert_int_equal(fdinfo(prog, "prog_type"), types[i]);
		assert_true(fcntl(prog, F_GETFD) & FD_CLOEXEC);
	}
	assert_int_equal(hp_bpfsys_load_empty(100000, 0), -EINVAL);
}

static void test_link(void **state)
{
	const uint64_t offsets[] = {file_offset_of((const void *)target_one),
				    file_offset_of((const void *)target_two)};
	const uint64_t cookies[] = {cookie(1, 1), cookie(2, 10)};
	const struct hp_multi multi = {
		.path = "/proc/self/exe",
		.pid = getpid(),
		.offsets = offsets,
		.cookies = cookies,
		.len = 2,
	};
	int link;

	need_links();
	link = hp_bpfsys_link_multi(counter.prog, HP_ATTACH_UPROBE_MULTI, &multi);
	assert_true(link >= 0);
	assert_true(fcntl(link, F_GETFD) & FD_CLOEXEC);
	for (unsigned i = 0; i < 7; i++)
		target_one(i);
	target_two(0);
	assert_int_equal(counter_read(&counter, 1), 7);
	assert_int_equal(counter_read(&counter, 2), 10);
	close(link);
	/* Closed: no hit is counted any more. */
	target_one(0);
	target_two(0);
	assert_int_equal(counter_read(&counter, 1), 7);
	assert_int_equal(counter_read(&counter, 2), 10);
}

/* The value that a function returns survives the detour of a return probe. */
static void test_return_flag(void **state)
{
	const uint64_t offset = file_offset_of((const void *)target_one), one = cookie(1, 1);
	struct hp_multi multi = {.path = "/proc/self/exe",
				 .pid = getpid(),
				 .offsets = &offset,
				 .cookies = &one,
				 .len = 1,
				 .ret = 1};
	HP_AUTO_FD int link = -1;

	need_links();
	link = hp_bpfsys_link_multi(counter.prog, HP_ATTACH_UPROBE_MULTI, &multi);
	assert_true(link >= 0);
	assert_int_equal(target_one(4), 13);
	assert_int_equal(counter_read(&counter, 1), 1);
}

static void test_refusals(void **state)
{
	const uint64_t offset = file_offset_of((const void *)target_one), one = cookie(1, 1);
	const struct hp_multi good = {.path = "/proc/self/exe",
				      .pid = getpid(),
				      .offsets = &offset,
				      .cookies = &one,
				      .len = 1};
	const enum hp_attach_type type = HP_ATTACH_UPROBE_MULTI;
	struct hp_multi bad;

	need_links();
	assert_int_equal(hp_bpfsys_link_multi(-1, type, &good), -EBADF);
	assert_int_equal(hp_bpfsys_link_multi(counter.map, type, &good), -EINVAL);
	bad = good;
	bad.path = "/nonexistent";
	assert_int_equal(hp_bpfsys_link_multi(counter.prog, type, &bad), -ENOENT);
	bad = good;
	bad.path = "/";
	assert_int_equal(hp_bpfsys_link_multi(counter.prog, type, &bad), -EBADF);
	bad = good;
	bad.len = 0;
	assert_int_equal(hp_bpfsys_link_multi(counter.prog, type, &bad), -EINVAL);
	bad.len = (1u << 20) + 1; /* trap:U11 */
	assert_int_equal(hp_bpfsys_link_multi(counter.prog, type, &bad), -E2BIG);
	bad = good;
	bad.pid = 0x7fffffff;
	assert_int_equal(hp_bpfsys_link_multi(counter.prog, type, &bad), -ESRCH);
	assert_int_equal(counter_read(&counter, 1), 0);
}

/* 65,536 values of 64 bytes need so much at least, and the kernel's own account hardly twice of it. */
static void test_map_bytes(void **state)
{
	HP_AUTO_FD int map = -1, ring = -1;

	need_links();
	map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "big", 4, 64, 1 << 16, NULL);
	assert_true(map >= 0);
	assert_in_range(hp_bpfsys_map_bytes(map), 64 << 16, 128 << 16);
	assert_int_equal(hp_bpfsys_map_bytes(map), fdinfo(map, "memlock"));
	ring = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, 1 << 20, NULL);
	assert_true(ring >= 0);
	assert_in_range(hp_bpfsys_map_bytes(ring), 1 << 20, 2 << 20);
}

static void test_map_bytes_of_others(void **state)
{
	HP_AUTO_FD int file = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(hp_bpfsys_map_bytes(file), 0);
	assert_int_equal(hp_bpfsys_map_bytes(-1), 0);
	assert_int_equal(hp_bpfsys_map_bytes(1000000), 0);
}

#define WITH_COUNTER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_COUNTER(test_load_empty),  WITH_COUNTER(test_link),
		WITH_COUNTER(test_return_flag), WITH_COUNTER(test_refusals),
		WITH_COUNTER(test_map_bytes),   cmocka_unit_test(test_map_bytes_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
