/* Names of threads: read seldom, kept when the thread is gone. */
#include "domains/cpu/cpu_names.h"

#include <errno.h>
#include <stdio.h>

#include "cpu_slots.h"

#define SEC 1000000000ull

struct system {
	const char *name; /* NULL: gone */
	int reads;
};

static int read_name(void *arg, uint32_t tid, char *buf, size_t size)
{
	struct system *system = arg;

	system->reads++;
	if (!system->name)
		return -ENOENT;
	snprintf(buf, size, "%s", system->name);
	return 0;
}

static void assert_name(struct hp_cpu_names *names, uint64_t sec, struct system *system,
			const char *wanted)
{
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *slot = slot_new(1);

	slot_add(slot, 7, "a");
	hp_cpu_names_fill(names, slot, sec * SEC, read_name, system);
	assert_string_equal(slot->threads.data[0].name, wanted);
}

static void test_names(void **state)
{
	HP_AUTO(hp_cpu_names) struct hp_cpu_names *names = NULL;
	struct system system = {.name = "worker"};

	assert_int_equal(hp_cpu_names_new(&names), 0);
	assert_name(names, 100, &system, "worker");
	system.name = "a name that is longer than Linux has them";
	assert_name(names, 109, &system, "worker");
	assert_int_equal(system.reads, 1);
	assert_name(names, 110, &system, "a name that is ");
	system.name = NULL;
	assert_name(names, 130, &system, "a name that is ");
	assert_int_equal(system.reads, 3);
	hp_cpu_names_free(NULL);
}

static void test_never_known(void **state)
{
	HP_AUTO(hp_cpu_names) struct hp_cpu_names *names = NULL;
	struct system system = {0};

	assert_int_equal(hp_cpu_names_new(&names), 0);
	assert_name(names, 100, &system, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_never_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
