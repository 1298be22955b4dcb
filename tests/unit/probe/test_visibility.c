/* Every reason for which a function has no figures, on a program that runs; hits and drops are made up. Needs root. */
#include "probe/visibility.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "elf/facts.h"
#include "probe/evidence.h"
#include "probe/plan.h"
#include "unit/probe/planned.h"

#define INLINES HP_BUILD_DIR "/fixtures/inlines"

struct fixture {
	struct planned planned;
	struct hp_select *pattern;
	struct hp_plan *plan;
	struct hp_evidence *evidence;
	struct hp_visibility *visibility;
	struct hp_visibility_input input;
	uint64_t *hits;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	*state = fixture;
	planned_start(&fixture->planned, INLINES);
	assert_int_equal(hp_select_new(&fixture->pattern), 0);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	hp_visibility_free(fixture->visibility);
	hp_evidence_free(fixture->evidence);
	hp_plan_free(fixture->plan);
	free(fixture->hits);
	hp_select_free(fixture->pattern);
	planned_stop(&fixture->planned);
	free(fixture);
	return 0;
}

static void add(struct hp_select *select, const char *pattern)
{
	assert_int_equal(hp_select_add(select, pattern, NULL), 0);
}

/* The plan, the files, and a run in which nothing was called. */
static void prepare(struct fixture *fixture, bool details)
{
	const struct hp_plan_input input = {
		.target = fixture->planned.target,
		.modules = fixture->planned.modules,
		.registry = fixture->planned.registry,
		.functions = fixture->planned.functions,
		.exclude = fixture->planned.exclude,
		.exact = fixture->planned.exact,
	};
	const struct hp_select *wants[] = {fixture->planned.functions, NULL};

	assert_int_equal(hp_plan_build(&input, &fixture->plan, &fixture->planned.err), 0);
	assert_int_equal(hp_evidence_new(fixture->planned.target, fixture->planned.modules, wants,
					 2, &fixture->evidence),
			 0);
	if (details)
		hp_evidence_read(fixture->evidence);
	assert_int_equal(hp_evidence_complete(fixture->evidence), details);
	fixture->hits = calloc(fixture->plan->max_entity + 1, sizeof(*fixture->hits));
	assert_non_null(fixture->hits);
	fixture->input = (struct hp_visibility_input){
		.evidence = fixture->evidence,
		.plan = fixture->plan,
		.functions = fixture->planned.functions,
		.exclude = fixture->planned.exclude,
		.exact = fixture->planned.exact,
		.hits = fixture->hits,
		.nentities = fixture->plan->max_entity + 1,
		.pattern = fixture->pattern,
	};
}

static void build(struct fixture *fixture)
{
	hp_visibility_free(fixture->visibility);
	fixture->visibility = NULL;
	assert_int_equal(hp_visibility_build(&fixture->input, &fixture->visibility), 0);
}

/* NULL: not listed. */
static const struct hp_visibility_row *row_of(const struct fixture *fixture, const char *name)
{
	hp_vec_each(row, &fixture->visibility->rows) {
		if (strcmp(row->name, name) == 0)
			return row;
	}
	return NULL;
}

static void check(const struct fixture *fixture, const char *name, enum hp_visibility_kind kind)
{
	const struct hp_visibility_row *row = row_of(fixture, name);

	if (!row)
		fail_msg("%s is not listed", name);
	else if (row->kind != kind)
		fail_msg("%s: %s, not %s", name, hp_visibility_code(row->kind),
			 hp_visibility_code(kind));
}

static uint32_t entity_of(struct fixture *fixture, const char *name)
{
	uint32_t id;

	assert_int_equal(hp_registry_add(fixture->planned.registry, NULL, name, &id), 0);
	assert_in_range(id, 1, fixture->plan->max_entity);
	return id;
}

static void test_run(void **state)
{
	struct fixture *fixture = *state;
	struct hp_visibility_drop drop = {.reason = "too often"};

	planned_need(&fixture->planned);
	add(fixture->planned.exclude, "thr*");
	prepare(fixture, true);
	fixture->hits[entity_of(fixture, "one")] = 5;
	drop.entity = entity_of(fixture, "two");
	fixture->input.drops = &drop;
	fixture->input.ndrops = 1;
	build(fixture);
	assert_null(row_of(fixture, "one"));
	check(fixture, "two", HP_VISIBLE_OVER_BUDGET);
	assert_string_equal(row_of(fixture, "two")->text, "too often");
	check(fixture, "three", HP_VISIBLE_EXCLUDED);
	assert_string_equal(row_of(fixture, "three")->text, "thr*");
	check(fixture, "_start", HP_VISIBLE_UNPROBEABLE);
	check(fixture, "always", HP_VISIBLE_INLINED);
	assert_int_equal(row_of(fixture, "always")->places, 4);
	check(fixture, "target", HP_VISIBLE_NEVER_CALLED);
	assert_int_equal(row_of(fixture, "target")->to_jumps, 1);
	check(fixture, "both", HP_VISIBLE_NEVER_CALLED);
	assert_int_equal(row_of(fixture, "both")->places, 2);
	assert_true(row_of(fixture, "original")->kind == HP_VISIBLE_FOLDED ||
		    row_of(fixture, "alias")->kind == HP_VISIBLE_FOLDED);
	assert_null(row_of(fixture, "getenv"));
	fixture->input.attaching = true;
	build(fixture);
	check(fixture, "both", HP_VISIBLE_NOT_ATTACHED);
}

static void test_patterns(void **state)
{
	struct fixture *fixture = *state;

	planned_need(&fixture->planned);
	add(fixture->planned.functions, "one");
	add(fixture->pattern, "*o");
	prepare(fixture, true);
	build(fixture);
	assert_int_equal(fixture->visibility->rows.len, 1);
	check(fixture, "two", HP_VISIBLE_NOT_SELECTED);

	fixture->input.hits = NULL;
	hp_select_free(fixture->pattern);
	assert_int_equal(hp_select_new(&fixture->pattern), 0);
	add(fixture->pattern, "one");
	fixture->input.pattern = fixture->pattern;
	build(fixture);
	check(fixture, "one", HP_VISIBLE_PLANNED);

	hp_select_free(fixture->pattern);
	assert_int_equal(hp_select_new(&fixture->pattern), 0);
	add(fixture->pattern, "libc.so:getenv");
	fixture->input.pattern = fixture->pattern;
	build(fixture);
	check(fixture, "getenv", HP_VISIBLE_LIBRARY);

	hp_select_free(fixture->pattern);
	assert_int_equal(hp_select_new(&fixture->pattern), 0);
	add(fixture->pattern, "alway");
	fixture->input.pattern = fixture->pattern;
	build(fixture);
	assert_int_equal(fixture->visibility->rows.len, 0);
	assert_string_equal(fixture->visibility->nearest.names[0], "always");
}

/* Before debug information is read, and without a plan. */
static void test_early(void **state)
{
	struct fixture *fixture = *state;

	planned_need(&fixture->planned);
	prepare(fixture, false);
	build(fixture);
	assert_null(row_of(fixture, "always"));
	check(fixture, "one", HP_VISIBLE_NEVER_CALLED);
	assert_false(row_of(fixture, "one")->has_references);
	fixture->input.plan = NULL;
	fixture->input.refused = "stacks move";
	build(fixture);
	check(fixture, "one", HP_VISIBLE_UNPROBEABLE);
	assert_string_equal(row_of(fixture, "one")->text, "stacks move");
	hp_evidence_interrupt(fixture->evidence);
	hp_evidence_read(fixture->evidence);
	assert_false(hp_evidence_complete(fixture->evidence));
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {WITH(test_run), WITH(test_patterns), WITH(test_early)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
