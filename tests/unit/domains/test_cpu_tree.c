/* Sums in our own JSON: functions, nodes, threads, ends; recursion counts once; differences in points. */
#include "domains/cpu/cpu_tree.h"

#include <stdlib.h>

#include <cjson/cJSON.h>

#include "cpu_slots.h"
#include "domains/cpu/cpu_diff.h"

static const cJSON *get(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	if (!item)
		fail_msg("%s is missing", key);
	return item;
}

static double number(const cJSON *object, const char *key)
{
	assert_true(cJSON_IsNumber(get(object, key)));
	return get(object, key)->valuedouble;
}

static const cJSON *row(const cJSON *body, const char *list, const char *name)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, get(body, list))
	{
		if (strcmp(get(item, "name")->valuestring, name) == 0)
			return item;
	}
	fail_msg("no %s in %s", name, list);
	return NULL;
}

static void assert_row(const cJSON *item, double self, double total)
{
	assert_true(number(item, "self_samples") == self);
	assert_true(number(item, "self_ns") == self * 10);
	assert_true(number(item, "total_samples") == total);
	assert_true(number(item, "total_ns") == total * 10);
}

static cJSON *tree_of(const struct hp_cpu_window *window)
{
	const struct hp_cpu_history_state history = {
		.bytes = 1234, .slots = 2, .oldest_ns = 10, .newest_ns = 30, .dropped_samples = 5};
	HP_AUTO_FREE char *text = NULL;
	cJSON *body;

	assert_int_equal(hp_cpu_tree_text(window, &history, &text), 0);
	body = cJSON_Parse(text);
	assert_true(cJSON_IsObject(body));
	return body;
}

static void test_tree(void **state)
{
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *slot = slot_new(100);
	const struct hp_cpu_sample cut = {.kind = HP_CPU_ON,
					  .tid = 8,
					  .end = HP_STACK_DEPTH | HP_STACK_GUESSED,
					  .samples = 1,
					  .weight_ns = 10};
	struct hp_cpu_window window;
	const cJSON *node;
	cJSON *body;
	int at = 0;

	slot_add(slot, 7, "ba");
	slot_add(slot, 7, "aba"); /* a calls b calls a */
	slot_add(slot, 7, "ca");
	slot_add(slot, 7, "");
	slot_add_as(slot, &cut, "ba");
	hp_cpu_stacks_seal(slot, 400);
	window = window_of(&slot, 1);
	body = tree_of(&window);

	assert_true(number(body, "samples") == 5 && number(body, "weight_ns") == 50);
	assert_true(number(body, "duration_ns") == 300);
	assert_string_equal(get(body, "type")->valuestring, "cpu");
	assert_row(row(body, "functions", "a"), 1, 4);
	assert_row(row(body, "functions", "b"), 2, 3);
	assert_row(row(body, "functions", "c"), 1, 1);
	assert_int_equal(cJSON_GetArraySize(get(body, "functions")), 3);
	assert_int_equal(cJSON_GetArraySize(get(body, "nodes")), 4);
	cJSON_ArrayForEach(node, get(body, "nodes"))
	{
		const cJSON *caller = get(node, "caller");

		assert_true(cJSON_IsNull(caller) || caller->valueint < at);
		at++;
	}
	assert_row(row(body, "nodes", "a"), 0, 4); /* the first one, the root */
	assert_row(row(body, "nodes", "b"), 2, 3);
	assert_row(row(body, "nodes", "c"), 1, 1);
	assert_true(number(row(body, "threads", "thread_7"), "samples") == 4);
	assert_true(number(row(body, "threads", "thread_8"), "weight_ns") == 10);
	assert_true(number(get(body, "stack_ends"), "complete") == 4);
	assert_true(number(get(body, "stack_ends"), "depth limit") == 1);
	assert_true(number(body, "guessed_samples") == 1);
	assert_true(number(get(body, "history"), "kept_ns") == 20);
	assert_true(number(get(body, "history"), "dropped_samples") == 5);
	cJSON_Delete(body);
}

static void test_nothing(void **state)
{
	const struct hp_cpu_window window = window_of(NULL, 0);
	cJSON *body = tree_of(&window);

	assert_true(number(body, "samples") == 0);
	assert_int_equal(cJSON_GetArraySize(get(body, "nodes")), 0);
	assert_int_equal(cJSON_GetArraySize(get(body, "functions")), 0);
	cJSON_Delete(body);
}

static void test_diff(void **state)
{
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *first = slot_new(1);
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *second = slot_new(2);
	const struct hp_cpu_window a = window_of(&first, 1), b = window_of(&second, 1);
	HP_AUTO_FREE char *text = NULL;
	const cJSON *item;
	cJSON *body;

	slot_add(first, 1, "ba");
	slot_add(first, 1, "ca");
	for (int i = 0; i < 3; i++)
		slot_add(second, 1, "ba");
	slot_add(second, 1, "da");
	assert_int_equal(hp_cpu_diff_text(&a, &b, &text), 0);
	body = cJSON_Parse(text);
	item = row(body, "functions", "b");
	assert_true(number(item, "self_percent_a") == 50 && number(item, "self_percent_b") == 75);
	assert_true(number(item, "self_points") == 25 && number(item, "total_points") == 25);
	item = row(body, "functions", "c");
	assert_true(number(item, "self_points") == -50 && number(item, "total_percent_b") == 0);
	item = row(body, "functions", "a");
	assert_true(number(item, "self_points") == 0 && number(item, "total_percent_a") == 100);
	assert_true(number(row(body, "functions", "d"), "self_points") == 25);
	/* The largest change first. */
	assert_string_equal(get(cJSON_GetArrayItem(get(body, "functions"), 0), "name")->valuestring,
			    "c");
	assert_true(number(get(body, "a"), "samples") == 2 &&
		    number(get(body, "b"), "samples") == 4);
	cJSON_Delete(body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_diff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
