/* Links, and perf events in their place, on functions of a forked child, counted by programs of our own that add up generations by entity; as root. */
#include "probe/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "hotpathd/abi/functions.h"
#include "probe/kfeat.h"
#include "probe/plan.h"
#include "unit/probe/callee.h"
#include "unit/probe/counter.h"
#include "unit/probe/mapping.h"

struct fixture {
	struct callee child;
	struct counter entry, end, count;
	struct hp_attach_programs programs;
	struct hp_plan *plan;
	struct hp_partition partition;
};

/* A plan by hand; the functions lie in the test's own file, at the same addresses in the child. */
static struct hp_plan *plan_new(pid_t pid)
{
	struct hp_plan *plan = calloc(1, sizeof(*plan));
	struct hp_plan_image image = {.name = "test", .is_exe = true};

	assert_non_null(plan);
	snprintf(image.path, sizeof(image.path), "/proc/%d/exe", pid);
	assert_int_equal(hp_vec_push(&plan->images, image), 0);
	for (unsigned i = 0; i < NFUNCTIONS; i++) {
		struct hp_plan_function function = {
			.entity = ENTITY(i),
			.offset = file_offset_of(addresses[i]),
			.addr = (uintptr_t)addresses[i],
			.original = *(const uint8_t *)addresses[i],
			.mode = HP_MODE_COUNT,
		};

		assert_int_not_equal(function.offset, 0);
		assert_int_equal(hp_vec_push(&plan->functions, function), 0);
	}
	assert_int_equal(hp_vec_push(&plan->exits, file_offset_of(two_exits_first)), 0);
	assert_int_equal(hp_vec_push(&plan->exits, file_offset_of(two_exits_second)), 0);
	plan->functions.data[TWO_EXITS].nexits = 2;
	return plan;
}

static int setup_kind(void **state, bool perf)
{
	const enum hp_attach_type type = perf ? HP_ATTACH_PERF_EVENT : HP_ATTACH_UPROBE_MULTI;
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	*state = fixture;
	fixture->partition = (struct hp_partition){.fds = {-1, -1}};
	if (geteuid() != 0 || !hp_kfeat_has(perf ? HP_KFEAT_UPROBE_PERF : HP_KFEAT_UPROBE_MULTI))
		return 0; /* the tests say why they skip */
	callee_start(&fixture->child);
	fixture->entry = counter_new_for(type);
	fixture->end = counter_new_for(type);
	fixture->count = counter_new_for(type);
	fixture->programs = (struct hp_attach_programs){
		.session_fd = -1,
		.paired_fd = fixture->entry.prog,
		.entry_fd = fixture->entry.prog,
		.return_fd = fixture->end.prog,
		.exit_fd = fixture->end.prog,
		.count_fd = fixture->count.prog,
		.perf = perf,
	};
	fixture->plan = plan_new(fixture->child.pid);
	return 0;
}

static int setup(void **state)
{
	return setup_kind(state, false);
}

static int setup_perf(void **state)
{
	return setup_kind(state, true);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	hp_partition_free(&fixture->partition);
	if (fixture->plan) {
		counter_free(&fixture->entry);
		counter_free(&fixture->end);
		counter_free(&fixture->count);
	}
	hp_plan_free(fixture->plan);
	callee_stop(&fixture->child);
	free(fixture);
	return 0;
}

static struct hp_partition *partition_of(struct fixture *fixture, const uint32_t *functions,
					 size_t n, enum hp_plan_mode mode)
{
	struct hp_partition *partition = &fixture->partition;

	if (!fixture->plan) {
		print_message("needs root, and uprobe_multi links or perf uprobes\n");
		skip();
	}
	partition->indices = calloc(n, sizeof(*partition->indices));
	assert_non_null(partition->indices);
	memcpy(partition->indices, functions, n * sizeof(*functions));
	partition->len = n;
	partition->generation = 1;
	for (size_t i = 0; i < n; i++)
		fixture->plan->functions.data[functions[i]].mode = (uint8_t)mode;
	return partition;
}

#define PARTITION(fixture, mode, ...)                          \
	partition_of(fixture, (const uint32_t[]){__VA_ARGS__}, \
		     sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), mode)

static void open_all(struct fixture *fixture)
{
	size_t none = 99;

	assert_int_equal(hp_attach_open(&fixture->programs, fixture->child.pid, fixture->plan,
					&fixture->partition, &none),
			 0);
	assert_int_equal(none, 0);
}

static void assert_links(const struct fixture *fixture, int nlinks)
{
	const struct hp_partition *partition = &fixture->partition;

	if (fixture->programs.perf)
		nlinks = 0;
	assert_int_equal(partition->perf != NULL, fixture->programs.perf);
	for (int i = 0; i < 2; i++)
		assert_int_equal(partition->fds[i] >= 0, i < nlinks);
}

static void assert_closed(const struct fixture *fixture)
{
	assert_null(fixture->partition.perf);
	assert_int_equal(fixture->partition.fds[0], -1);
	assert_int_equal(fixture->partition.fds[1], -1);
}

static void test_count(void **state)
{
	struct fixture *fixture = *state;

	PARTITION(fixture, HP_MODE_COUNT, A, B);
	fixture->partition.generation = 7;
	open_all(fixture);
	assert_links(fixture, 1);
	for (int i = 0; i < 100; i++)
		callee_call(&fixture->child, A);
	callee_call(&fixture->child, B);
	traced_a(1); /* of this process: not the target */
	assert_int_equal(counter_read(&fixture->count, ENTITY(A)), 700);
	assert_int_equal(counter_read(&fixture->count, ENTITY(B)), 7);
	assert_int_equal(counter_read(&fixture->entry, ENTITY(A)), 0);

	hp_attach_close(&fixture->partition);
	assert_closed(fixture);
	callee_call(&fixture->child, A);
	assert_int_equal(counter_read(&fixture->count, ENTITY(A)), 700);
}

static void test_entry_and_return(void **state)
{
	struct fixture *fixture = *state;

	PARTITION(fixture, HP_MODE_RETURN, A, TWO_EXITS);
	open_all(fixture);
	assert_links(fixture, 2);
	for (int i = 0; i < 20; i++)
		callee_call(&fixture->child, A);
	callee_call(&fixture->child, TWO_EXITS); /* two calls */
	assert_int_equal(counter_read(&fixture->entry, ENTITY(A)), 20);
	assert_int_equal(counter_read(&fixture->end, ENTITY(A)), 20);
	assert_int_equal(counter_read(&fixture->entry, ENTITY(TWO_EXITS)), 2);
	assert_int_equal(counter_read(&fixture->end, ENTITY(TWO_EXITS)), 2);
}

static void test_exits(void **state)
{
	struct fixture *fixture = *state;

	PARTITION(fixture, HP_MODE_EXITS, TWO_EXITS);
	open_all(fixture);
	for (int i = 0; i < 10; i++)
		callee_call(&fixture->child, TWO_EXITS);
	assert_int_equal(counter_read(&fixture->entry, ENTITY(TWO_EXITS)), 20);
	assert_int_equal(counter_read(&fixture->end, ENTITY(TWO_EXITS)), 20);
}

static void test_refused_is_found(void **state)
{
	struct fixture *fixture = *state;
	struct hp_plan_function *functions;
	size_t refusals = 0;

	PARTITION(fixture, HP_MODE_COUNT, A, REFUSED, B, TWO_EXITS);
	functions = fixture->plan->functions.data;
	assert_int_equal(hp_attach_open(&fixture->programs, fixture->child.pid, fixture->plan,
					&fixture->partition, &refusals),
			 0);
	assert_int_equal(refusals, 1);
	assert_int_equal(fixture->partition.len, 3);
	for (unsigned i = 0; i < NFUNCTIONS; i++)
		assert_int_equal(functions[i].reason != NULL, i == REFUSED);
	for (unsigned i = 0; i < NFUNCTIONS; i++)
		callee_call(&fixture->child, (uint8_t)i);
	assert_int_equal(counter_read(&fixture->count, ENTITY(A)), 1);
	assert_int_equal(counter_read(&fixture->count, ENTITY(B)), 1);
	assert_int_equal(counter_read(&fixture->count, ENTITY(TWO_EXITS)), 2);
	assert_int_equal(counter_read(&fixture->count, ENTITY(REFUSED)), 0);
	assert_int_equal(hp_attach_verify(fixture->child.pid, fixture->plan, &fixture->partition),
			 0);
}

static void test_all_refused(void **state)
{
	struct fixture *fixture = *state;
	size_t refusals = 0;

	PARTITION(fixture, HP_MODE_RETURN, REFUSED);
	assert_int_equal(hp_attach_open(&fixture->programs, fixture->child.pid, fixture->plan,
					&fixture->partition, &refusals),
			 0);
	assert_int_equal(refusals, 1);
	assert_int_equal(fixture->partition.len, 0);
	assert_int_equal(fixture->partition.fds[0], -1);
	assert_int_equal(fixture->partition.fds[1], -1);
}

static void test_verify(void **state)
{
	struct fixture *fixture = *state;
	struct hp_plan_function *functions;

	PARTITION(fixture, HP_MODE_COUNT, A, B);
	functions = fixture->plan->functions.data;
	open_all(fixture);
	assert_int_equal(hp_attach_verify(fixture->child.pid, fixture->plan, &fixture->partition),
			 0);
	assert_null(functions[A].reason);
	hp_attach_close(&fixture->partition);
	assert_int_equal(hp_attach_verify(fixture->child.pid, fixture->plan, &fixture->partition),
			 2);
	assert_non_null(functions[A].reason);
	assert_non_null(functions[B].reason);
}

/* A copy of our own file, flushed and out of the page cache; the caller unlinks @path. */
static void *evicted_copy(char *path, size_t *ret_size)
{
	HP_AUTO_FD int own = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	HP_AUTO_FD int copy = mkstemp(path);
	struct stat file;
	void *view;

	assert_int_equal(fstat(own, &file), 0);
	for (ssize_t n; (n = copy_file_range(own, NULL, copy, NULL, 1 << 20, 0)) > 0;)
		;
	assert_int_equal(fsync(copy), 0);
	assert_int_equal(posix_fadvise(copy, 0, 0, POSIX_FADV_DONTNEED), 0);
	view = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_SHARED, copy, 0);
	assert_true(view != MAP_FAILED);
	*ret_size = (size_t)file.st_size;
	return view;
}

static bool is_cached(const uint8_t *view, uint64_t offset)
{
	unsigned char resident = 0;

	assert_int_equal(mincore((void *)(view + offset / 4096 * 4096), 1, &resident), 0);
	return resident & 1;
}

/* trap:U16: the page is read before the kernel patches it. Nobody maps this file, so the kernel itself does not read. */
static void test_pages_are_cached(void **state)
{
	struct fixture *fixture = *state;
	char path[] = "/var/tmp/hotpathd-test-XXXXXX";
	uint64_t offset = file_offset_of(addresses[A]);
	uint8_t *view;
	size_t size;

	PARTITION(fixture, HP_MODE_COUNT, A);
	view = evicted_copy(path, &size);
	snprintf(fixture->plan->images.data[0].path, sizeof(fixture->plan->images.data[0].path),
		 "%s", path);
	if (is_cached(view, offset)) {
		print_message("this file system keeps pages that nobody needs\n");
	} else {
		open_all(fixture);
		assert_true(is_cached(view, offset));
	}
	munmap(view, size);
	unlink(path);
}

static void test_dead_target(void **state)
{
	struct fixture *fixture = *state;
	size_t refusals = 99;
	pid_t pid;

	PARTITION(fixture, HP_MODE_COUNT, A);
	/* The path must still be good, so that the pid alone is to blame. */
	snprintf(fixture->plan->images.data[0].path, sizeof(fixture->plan->images.data[0].path),
		 "/proc/self/exe");
	pid = fixture->child.pid;
	callee_stop(&fixture->child);
	assert_int_equal(hp_attach_open(&fixture->programs, pid, fixture->plan, &fixture->partition,
					&refusals),
			 -ESRCH);
	assert_int_equal(refusals, 99);
	assert_int_equal(fixture->partition.fds[0], -1);
	assert_true(hp_attach_verify(pid, fixture->plan, &fixture->partition) < 0);
}

static void test_close_all(void **state)
{
	struct fixture *fixture = *state;
	struct hp_partition partitions[2];
	uint32_t index = A;
	size_t none;

	PARTITION(fixture, HP_MODE_RETURN, A);
	open_all(fixture);
	partitions[0] = fixture->partition;
	partitions[1] = (struct hp_partition){
		.indices = &index, .len = 1, .generation = 5, .fds = {-1, -1}};
	assert_int_equal(hp_attach_open(&fixture->programs, fixture->child.pid, fixture->plan,
					&partitions[1], &none),
			 0);
	callee_call(&fixture->child, A);
	assert_int_equal(counter_read(&fixture->entry, ENTITY(A)), 1 + 5);
	hp_attach_close_all(partitions, 2);
	fixture->partition = partitions[0];
	assert_closed(fixture);
	assert_null(partitions[1].perf);
	callee_call(&fixture->child, A);
	assert_int_equal(counter_read(&fixture->entry, ENTITY(A)), 1 + 5);
	assert_int_equal(hp_attach_verify(fixture->child.pid, fixture->plan, &fixture->partition),
			 1);
}

static void test_empty(void **state)
{
	struct hp_partition empty = {.fds = {-1, -1}};
	size_t refusals = 99;

	assert_int_equal(hp_attach_open(NULL, 0, NULL, &empty, &refusals), 0);
	assert_int_equal(refusals, 0);
	hp_partition_free(&empty);
}

#define WITH_LINKS(test)  cmocka_unit_test_setup_teardown(test, setup, teardown)
#define WITH_EVENTS(test) cmocka_unit_test_setup_teardown(test, setup_perf, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LINKS(test_count),
		WITH_LINKS(test_entry_and_return),
		WITH_LINKS(test_exits),
		WITH_LINKS(test_refused_is_found),
		WITH_LINKS(test_all_refused),
		WITH_LINKS(test_verify),
		WITH_LINKS(test_pages_are_cached),
		WITH_LINKS(test_dead_target),
		WITH_LINKS(test_close_all),
		WITH_EVENTS(test_count),
		WITH_EVENTS(test_entry_and_return),
		WITH_EVENTS(test_exits),
		WITH_EVENTS(test_refused_is_found),
		WITH_EVENTS(test_all_refused),
		WITH_EVENTS(test_verify),
		WITH_EVENTS(test_pages_are_cached),
		WITH_EVENTS(test_dead_target),
		WITH_EVENTS(test_close_all),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
