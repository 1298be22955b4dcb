/* The child's answer is foreign: what was gathered is read back as it was, and anything else is refused. */
#include "elf/facts.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "elf/gather.h"

/* inner is inlined 3 times into outer and once into main; outer and main have code, outer has a second name. */
static void make(struct hp_facts *facts)
{
	HP_AUTO(hp_gather) struct hp_gather *gather = NULL;
	uint32_t inner, outer, program, again;

	assert_int_equal(hp_gather_new(&gather), 0);
	assert_int_equal(hp_gather_function(gather, "outer", "a.c", 20, &outer), 0);
	assert_int_equal(hp_gather_function(gather, "main", "a.c", 30, &program), 0);
	assert_int_equal(hp_gather_function(gather, "inner", "a.h", 10, &inner), 0);
	assert_int_equal(hp_gather_function(gather, "inner", "a.h", 10, &again), 0);
	assert_int_equal(inner, again);
	assert_int_equal(hp_gather_function(gather, "inner", "b.h", 10, &again), 0);
	assert_int_not_equal(inner, again);
	assert_int_equal(hp_gather_code(gather, 0x2000, program), 0);
	assert_int_equal(hp_gather_code(gather, 0x1000, outer), 0);
	assert_int_equal(hp_gather_place(gather, inner, program), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(hp_gather_place(gather, inner, outer), 0);
	assert_int_equal(hp_gather_alias(gather, 0x1000, "outer"), 0);
	assert_int_equal(hp_gather_alias(gather, 0x1000, "second"), 0);
	hp_gather_flag(gather, HP_FACTS_DWARF);
	assert_int_equal(hp_gather_finish(gather, facts), 0);
}

static const char *function_at(const struct hp_facts *facts, uint64_t addr)
{
	int64_t i = hp_facts_at(facts, addr);

	return i < 0 ? NULL : hp_facts_text(facts, facts->functions.data[i].name);
}

static void check(const struct hp_facts *facts)
{
	const struct hp_facts_function *inner;
	size_t first, end;

	assert_int_equal(facts->flags, HP_FACTS_DWARF);
	assert_string_equal(function_at(facts, 0x1000), "outer");
	assert_string_equal(function_at(facts, 0x2000), "main");
	assert_null(function_at(facts, 0x1001));
	assert_null(function_at(facts, 0));
	hp_facts_named(facts, "inner", &first, &end);
	assert_int_equal(end - first, 2);
	inner = &facts->functions.data[first];
	assert_string_equal(hp_facts_text(facts, inner->file), "a.h");
	assert_int_equal(inner->line, 10);
	assert_int_equal(inner->places, 4);
	assert_int_equal(inner->ncallers, 2);
	assert_int_equal(inner->all_callers, 2);
	assert_int_equal(facts->callers.data[inner->first_caller].places, 3);
	assert_int_equal(facts->functions.data[first + 1].places, 0);
	hp_facts_named(facts, "inne", &first, &end);
	assert_int_equal(first, end);
	hp_facts_aliases(facts, 0x1000, &first, &end);
	assert_int_equal(end - first, 2);
	assert_string_equal(hp_facts_text(facts, facts->aliases.data[first + 1].name), "second");
	hp_facts_aliases(facts, 0x2000, &first, &end);
	assert_int_equal(first, end);
}

static void test_round_trip(void **state)
{
	struct hp_facts facts = {0}, again = {0};
	HP_AUTO_FREE void *data = NULL;
	size_t size;

	make(&facts);
	check(&facts);
	assert_int_equal(hp_facts_write(&facts, &data, &size), 0);
	assert_int_equal(hp_facts_read(data, size, &again), 0);
	check(&again);
	hp_facts_deinit(&again);
	hp_facts_deinit(&facts);
}

/* Callers over the cap are counted, not kept; those with most places stay. */
static void test_many_callers(void **state)
{
	HP_AUTO(hp_gather) struct hp_gather *gather = NULL;
	struct hp_facts facts = {0};
	const struct hp_facts_function *function;
	uint32_t inner, caller;
	size_t first, end;

	assert_int_equal(hp_gather_new(&gather), 0);
	assert_int_equal(hp_gather_function(gather, "inner", "", 0, &inner), 0);
	for (unsigned i = 0; i < HP_FACTS_CALLERS + 5; i++) {
		char name[16];

		snprintf(name, sizeof(name), "caller%u", i);
		assert_int_equal(hp_gather_function(gather, name, "", 0, &caller), 0);
		for (unsigned k = 0; k <= i; k++)
			assert_int_equal(hp_gather_place(gather, inner, caller), 0);
	}
	assert_int_equal(hp_gather_finish(gather, &facts), 0);
	hp_facts_named(&facts, "inner", &first, &end);
	function = &facts.functions.data[first];
	assert_int_equal(function->ncallers, HP_FACTS_CALLERS);
	assert_int_equal(function->all_callers, HP_FACTS_CALLERS + 5);
	assert_int_equal(facts.callers.data[function->first_caller].places, HP_FACTS_CALLERS + 5);
	hp_facts_deinit(&facts);
}

/* Every cut and every changed byte: refused, or read without a step outside. */
static void test_hostile(void **state)
{
	struct hp_facts facts = {0}, again;
	HP_AUTO_FREE uint8_t *data = NULL;
	size_t size, first, end;

	make(&facts);
	assert_int_equal(hp_facts_write(&facts, (void **)&data, &size), 0);
	hp_facts_deinit(&facts);
	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(hp_facts_read(data, cut, &again), -EBADMSG);
	for (size_t at = 0; at < size; at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			data[at] ^= (uint8_t)(1u << bit);
			if (hp_facts_read(data, size, &again) == 0) {
				hp_facts_named(&again, "inner", &first, &end);
				hp_facts_aliases(&again, 0x1000, &first, &end);
				function_at(&again, 0x1000);
				hp_facts_deinit(&again);
			}
			data[at] ^= (uint8_t)(1u << bit);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_many_callers),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
