/* Entities: one id per displayed name, dense from 1, whoever asks first. */
#include "probe/registry.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define THREADS 4
#define NAMES   5000

static int setup(void **state)
{
	return hp_registry_new((struct hp_registry **)state);
}

static int teardown(void **state)
{
	hp_registry_free(*state);
	return 0;
}

static uint32_t add(struct hp_registry *registry, const char *module, const char *name)
{
	uint32_t id = 0;

	assert_int_equal(hp_registry_add(registry, module, name, &id), 0);
	return id;
}

static void test_ids_are_dense_and_stable(void **state)
{
	struct hp_registry *registry = *state;

	assert_int_equal(hp_registry_len(registry), 0);
	assert_int_equal(add(registry, NULL, "main"), 1);
	assert_int_equal(add(registry, NULL, "other"), 2);
	assert_int_equal(add(registry, NULL, "main"), 1);
	assert_int_equal(add(registry, "", "main"), 1); /* the executable, both ways */
	assert_int_equal(hp_registry_len(registry), 2);
	assert_string_equal(hp_registry_name(registry, 1), "main");
	assert_string_equal(hp_registry_name(registry, 2), "other");
}

static void test_displayed_names(void **state)
{
	struct hp_registry *registry = *state;
	uint32_t own = add(registry, NULL, "malloc");
	uint32_t libc = add(registry, "libc.so.6", "malloc");
	uint32_t kernel = add(registry, "kernel", "do_nanosleep");

	assert_true(own != libc);
	assert_string_equal(hp_registry_name(registry, libc), "libc.so.6:malloc");
	assert_string_equal(hp_registry_name(registry, kernel), "kernel:do_nanosleep");
	/* trap:T10: who has no name but an address in the module. */
	assert_string_equal(
		hp_registry_name(registry, add(registry, "libc.so.6", "libc.so.6+0x1a0")),
		"libc.so.6+0x1a0");
	assert_string_equal(hp_registry_name(registry, add(registry, "libc.so", "libc.so.6+0x1a0")),
			    "libc.so:libc.so.6+0x1a0");
	assert_string_equal(hp_registry_name(registry, add(registry, NULL, "ls+0x1a0")),
			    "ls+0x1a0");
	assert_int_equal(add(registry, "libc.so.6", "malloc"), libc);
	assert_int_equal(add(registry, NULL, "libc.so.6:malloc"), libc); /* what is shown decides */
}

static void test_unknown_id(void **state)
{
	struct hp_registry *registry = *state;

	add(registry, NULL, "main");
	assert_string_equal(hp_registry_name(registry, 0), "");
	assert_string_equal(hp_registry_name(registry, 2), "");
	assert_string_equal(hp_registry_name(registry, UINT32_MAX), "");
}

static void test_long_and_empty_names(void **state)
{
	struct hp_registry *registry = *state;
	char name[3000];
	uint32_t id;

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	id = add(registry, "libfoo.so", name);
	assert_int_equal(strncmp(hp_registry_name(registry, id), "libfoo.so:xxx", 13), 0);
	assert_true(strlen(hp_registry_name(registry, id)) < sizeof(name));
	assert_int_equal(add(registry, "libfoo.so", name), id);
	id = add(registry, NULL, "");
	assert_string_equal(hp_registry_name(registry, id), "");
}

/* Borrowed texts survive whatever is added later. */
static void test_names_do_not_move(void **state)
{
	struct hp_registry *registry = *state;
	const char *first = hp_registry_name(registry, add(registry, NULL, "first"));
	char name[32];

	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "function_%d", i);
		assert_int_equal(add(registry, NULL, name), (uint32_t)i + 2);
	}
	assert_string_equal(first, "first");
	assert_ptr_equal(hp_registry_name(registry, 1), first);
}

struct adder {
	pthread_t thread;
	struct hp_registry *registry;
	unsigned start;
	uint32_t ids[NAMES];
	unsigned wrong;
};

/* Every thread adds all names, each from another one on, and reads back what it got. */
static void *add_all(void *arg)
{
	struct adder *adder = arg;
	char name[32], shown[64];

	for (unsigned i = 0; i < NAMES; i++) {
		unsigned k = (adder->start + i) % NAMES;

		snprintf(name, sizeof(name), "f%u", k);
		snprintf(shown, sizeof(shown), "lib.so:f%u", k);
		if (hp_registry_add(adder->registry, "lib.so", name, &adder->ids[k]) < 0 ||
		    strcmp(hp_registry_name(adder->registry, adder->ids[k]), shown) != 0 ||
		    adder->ids[k] > hp_registry_len(adder->registry))
			adder->wrong++;
	}
	return NULL;
}

static void test_threads_agree(void **state)
{
	static struct adder adders[THREADS];
	static bool taken[NAMES + 1];

	for (unsigned i = 0; i < THREADS; i++) {
		adders[i].registry = *state;
		adders[i].start = i * NAMES / THREADS;
		assert_int_equal(pthread_create(&adders[i].thread, NULL, add_all, &adders[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(adders[i].thread, NULL);
	assert_int_equal(hp_registry_len(*state), NAMES);
	for (unsigned k = 0; k < NAMES; k++) {
		uint32_t id = adders[0].ids[k];

		assert_in_range(id, 1, NAMES);
		assert_false(taken[id]);
		taken[id] = true;
		for (unsigned i = 1; i < THREADS; i++)
			assert_int_equal(adders[i].ids[k], id);
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(adders[i].wrong, 0);
}

static void test_free_null(void **state)
{
	hp_registry_free(NULL);
}

#define WITH_REGISTRY(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_REGISTRY(test_ids_are_dense_and_stable),
		WITH_REGISTRY(test_displayed_names),
		WITH_REGISTRY(test_unknown_id),
		WITH_REGISTRY(test_long_and_empty_names),
		WITH_REGISTRY(test_names_do_not_move),
		WITH_REGISTRY(test_threads_agree),
		cmocka_unit_test(test_free_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
