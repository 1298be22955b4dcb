/* Folded stacks: one line each, whatever the names hold. */
#include "domains/cpu/cpu_folded.h"

#include <stdlib.h>

#include "cpu_slots.h"

static const char *odd_name(void *arg, uint32_t entity)
{
	switch (entity) {
	case 'a':
		return "std::map<int; long>::at";
	case 'b':
		return "two\nlines\x7f";
	case 'c':
		return "bad \xff\xc3 byte";
	case 'd':
	case 'D':
		return "gr\xc3\xbc\xc3\x9f"
		       "e();";
	default:
		return "root";
	}
}

static void assert_text(const struct hp_cpu_window *window, const char *wanted)
{
	HP_AUTO_FREE char *text = NULL;
	size_t len = 0;

	assert_int_equal(hp_cpu_folded_text(window, &text, &len), 0);
	assert_string_equal(text, wanted);
	assert_int_equal(len, strlen(wanted));
}

static void test_lines(void **state)
{
	struct hp_cpu_stacks *slots[] = {slot_new(1), slot_new(2)};
	const struct hp_cpu_sample blocked = {
		.kind = HP_CPU_OFF, .tid = 1, .samples = 3, .weight_ns = 7000999};
	struct hp_cpu_window window = window_of(slots, 2);

	slot_add(slots[0], 1, "cba");
	slot_add(slots[0], 2, "cba"); /* threads are taken together */
	slot_add(slots[0], 1, "ba");
	slot_add(slots[1], 1, "ba");
	slot_add(slots[1], 1, "");
	slot_add_as(slots[1], &blocked, "xa");
	assert_text(&window, "[no stack] 1\na;b 2\na;b;c 2\n");
	window.tid = 2;
	assert_text(&window, "a;b;c 1\n");
	window.tid = 0;
	window.kind = HP_CPU_OFF;
	assert_text(&window, "a;x 7000\n");
	window.kind = HP_CPU_WALL;
	assert_text(&window, "");
	hp_cpu_stacks_free(slots[0]);
	hp_cpu_stacks_free(slots[1]);
}

static void test_names(void **state)
{
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *slot = slot_new(1);
	struct hp_cpu_window window = window_of(&slot, 1);

	window.name = odd_name;
	slot_add(slot, 1, "ar");
	slot_add(slot, 1, "br");
	slot_add(slot, 1, "cr");
	slot_add(slot, 1, "dr");
	slot_add(slot, 1, "Dr"); /* another function of that name */
	assert_text(&window, "root;bad ?? byte 1\nroot;gr\xc3\xbc\xc3\x9f"
			     "e()\\: 2\n"
			     "root;std::map<int\\: long>::at 1\nroot;two?lines? 1\n");
}

static void test_diff(void **state)
{
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *first = slot_new(1);
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *second = slot_new(2);
	const struct hp_cpu_window a = window_of(&first, 1), b = window_of(&second, 1);
	HP_AUTO_FREE char *text = NULL;
	size_t len;

	slot_add(first, 1, "ba");
	slot_add(first, 1, "ba");
	slot_add(first, 1, "ca");
	slot_add(second, 1, "ba");
	slot_add(second, 1, "da");
	assert_int_equal(hp_cpu_folded_diff(&a, &b, &text, &len), 0);
	assert_string_equal(text, "a;b 2 1\na;c 1 0\na;d 0 1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_diff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
