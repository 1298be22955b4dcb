/* Callers and callees, against a full matrix. */
#include "domains/functions/functions_edges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define N 40

static int record(struct hp_functions_edges *edges, uint32_t parent, uint32_t child, uint64_t ns)
{
	const struct hp_call_event call = {.duration_ns = ns, .entity = child, .parent = parent};

	return hp_functions_edges_record(edges, &call);
}

static void test_against_a_matrix(void **state)
{
	static uint64_t calls[N][N], total[N][N]; /* parent 0 = none */
	HP_AUTO(hp_functions_edges) struct hp_functions_edges *edges = NULL;

	assert_int_equal(hp_functions_edges_new(N * N, &edges), 0);
	for (uint64_t i = 0, x = 1; i < 20000; i++) {
		uint32_t parent, child;

		x = x * 6364136223846793005ull + 1442695040888963407ull;
		parent = (uint32_t)(x >> 33) % N;
		child = 1 + (uint32_t)(x >> 45) % (N - 1);
		calls[parent][child]++;
		total[parent][child] += x >> 50;
		assert_int_equal(record(edges, parent, child, x >> 50), 0);
	}
	assert_int_equal(hp_functions_edges_left_out(edges), 0);
	for (uint32_t entity = 1; entity < N; entity++) {
		for (int callers = 0; callers < 2; callers++) {
			HP_AUTO_FREE struct hp_functions_edge *found = NULL;
			size_t n = 0, wanted = 0;

			for (uint32_t i = 0; i < N; i++)
				wanted += (callers ? calls[i][entity] : calls[entity][i]) > 0;
			assert_int_equal(
				hp_functions_edges_find(edges, entity, callers, &found, &n), 0);
			assert_int_equal(n, wanted);
			for (size_t i = 0; i < n; i++) {
				uint32_t parent = found[i].parent, child = found[i].child;

				assert_int_equal(callers ? child : parent, entity);
				assert_int_equal(found[i].calls, calls[parent][child]);
				assert_int_equal(found[i].total_ns, total[parent][child]);
				if (i)
					assert_true(found[i - 1].total_ns >= found[i].total_ns);
			}
		}
	}
}

/* A full table loses new edges only, and counts what it loses. */
static void test_bound(void **state)
{
	HP_AUTO(hp_functions_edges) struct hp_functions_edges *edges = NULL;
	HP_AUTO_FREE struct hp_functions_edge *found = NULL;
	size_t n = 0;

	assert_int_equal(hp_functions_edges_new(3, &edges), 0);
	for (unsigned round = 0; round < 5; round++) {
		for (uint32_t child = 1; child <= 5; child++)
			assert_int_equal(record(edges, 9, child, child), 0);
	}
	assert_int_equal(hp_functions_edges_left_out(edges), 10);
	assert_int_equal(hp_functions_edges_find(edges, 9, false, &found, &n), 0);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(found[i].child, 3 - i); /* the largest total first */
		assert_int_equal(found[i].calls, 5);
	}
}

/* Recursion is an edge from a function to itself; unknown functions have none. */
static void test_special(void **state)
{
	HP_AUTO(hp_functions_edges) struct hp_functions_edges *edges = NULL;
	static const uint32_t unknown[] = {1, 3, UINT32_MAX};

	assert_int_equal(hp_functions_edges_new(10, &edges), 0);
	assert_int_equal(record(edges, 2, 2, 5), 0);
	for (int callers = 0; callers < 2; callers++) {
		struct hp_functions_edge *found = NULL;
		size_t n = 0;

		assert_int_equal(hp_functions_edges_find(edges, 2, callers, &found, &n), 0);
		assert_int_equal(n, 1);
		free(found);
		for (size_t i = 0; i < HP_ARRAY_SIZE(unknown); i++) {
			assert_int_equal(
				hp_functions_edges_find(edges, unknown[i], callers, &found, &n), 0);
			assert_int_equal(n, 0);
			free(found);
		}
	}
	hp_functions_edges_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_a_matrix),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_special),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
