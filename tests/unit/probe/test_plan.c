/* Plans for fixtures that run: which functions, where (by nm), and why not. Needs root, as opening a target does. */
#include "probe/plan.h"
#include "probe/plan_print.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "unit/probe/planned.h"

#define CALLS HP_BUILD_DIR "/fixtures/calls"
#define CXX   HP_BUILD_DIR "/fixtures/cxx"
#define GO    HP_BUILD_DIR "/fixtures/gocount"

static int setup_with(void **state, const char *path)
{
	struct planned *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	*state = fixture;
	planned_start(fixture, path);
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, CALLS);
}

static int setup_cxx(void **state)
{
	return setup_with(state, CXX);
}

static int setup_go(void **state)
{
	return setup_with(state, GO);
}

static int teardown(void **state)
{
	struct planned *fixture = *state;

	planned_stop(fixture);
	free(fixture);
	return 0;
}

static void add(struct hp_select *select, const char *pattern)
{
	struct hp_err err = {0};

	assert_int_equal(hp_select_add(select, pattern, &err), 0);
}

static int build(struct planned *fixture, struct hp_plan **ret_plan)
{
	const struct hp_plan_input input = {
		.target = fixture->target,
		.modules = fixture->modules,
		.registry = fixture->registry,
		.functions = fixture->functions,
		.exclude = fixture->exclude,
		.exact = fixture->exact,
	};

	return hp_plan_build(&input, ret_plan, &fixture->err);
}

/* The only function of that displayed name; NULL: it is not in the plan. */
static const struct hp_plan_function *find(const struct planned *fixture,
					   const struct hp_plan *plan, const char *name)
{
	const struct hp_plan_function *found = NULL;

	hp_vec_each(function, &plan->functions) {
		if (strcmp(hp_registry_name(fixture->registry, function->entity), name) == 0) {
			assert_null(found);
			found = function;
		}
	}
	return found;
}

/* By nm: the link-time address of the only symbol @name. */
static uint64_t address_of(const char *path, const char *name)
{
	char command[300], symbol[200], kind;
	uint64_t addr, found = 0;
	FILE *pipe;

	snprintf(command, sizeof(command), "nm '%s'", path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	for (char line[4096]; fgets(line, sizeof(line), pipe);) {
		if (sscanf(line, "%" SCNx64 " %c %199s", &addr, &kind, symbol) == 3 &&
		    strcmp(symbol, name) == 0)
			found = addr;
	}
	pclose(pipe);
	assert_int_not_equal(found, 0);
	return found;
}

static void test_addresses(void **state)
{
	struct planned *fixture = *state;
	static const char *const names[] = {"work_a", "work_b", "work_outer", "work_inner"};
	HP_AUTO(hp_plan) struct hp_plan *plan = NULL;
	HP_AUTO_FILE FILE *file = fopen(CALLS, "re");
	HP_AUTO_FILE FILE *memory = NULL;
	char path[64];

	planned_need(fixture);
	add(fixture->functions, "work_*");
	assert_int_equal(build(fixture, &plan), 0);
	assert_int_equal(plan->functions.len, HP_ARRAY_SIZE(names));
	assert_int_equal(plan->skipped, 0);
	snprintf(path, sizeof(path), "/proc/%d/mem", fixture->child.pid);
	memory = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(memory);
	for (size_t i = 0; i < HP_ARRAY_SIZE(names); i++) {
		const struct hp_plan_function *function = find(fixture, plan, names[i]);

		assert_non_null(function);
		assert_null(function->reason);
		assert_int_equal(function->vaddr, address_of(CALLS, names[i]));
		assert_int_equal(function->mode, HP_MODE_RETURN); /* a C program cannot unwind */
		assert_int_equal(function->nexits, 0);
		assert_false(function->exact);
		assert_true(function->entity <= plan->max_entity);
		assert_true(plan->images.data[function->image].is_exe);
		/* The same byte in the file, in the target and in the plan. */
		assert_int_equal(fseek(file, (long)function->offset, SEEK_SET), 0);
		assert_int_equal(fgetc(file), function->original);
		setvbuf(memory, NULL, _IONBF, 0);
		assert_int_equal(fseek(memory, (long)function->addr, SEEK_SET), 0);
		assert_int_equal(fgetc(memory), function->original);
	}
}

static void test_all_functions_of_the_executable(void **state)
{
	struct planned *fixture = *state;
	HP_AUTO(hp_plan) struct hp_plan *plan = NULL;
	const struct hp_plan_function *start;
	unsigned skipped = 0;

	planned_need(fixture);
	assert_int_equal(build(fixture, &plan), 0);
	assert_non_null(find(fixture, plan, "main"));
	assert_non_null(find(fixture, plan, "run"));
	assert_null(find(fixture, plan, "libc.so.6:malloc"));
	start = find(fixture, plan, "_start");
	assert_non_null(start);
	assert_non_null(start->reason);
	hp_vec_each(function, &plan->functions)
		skipped += function->reason != NULL;
	assert_true(skipped > 0);
	assert_int_equal(plan->skipped, skipped);
	for (size_t i = 1; i < plan->functions.len; i++)
		assert_true(plan->functions.data[i - 1].vaddr < plan->functions.data[i].vaddr);
}

static void test_exclude_and_exact(void **state)
{
	struct planned *fixture = *state;
	HP_AUTO(hp_plan) struct hp_plan *plan = NULL;

	planned_need(fixture);
	add(fixture->functions, "work_*");
	add(fixture->exclude, "*_inner");
	add(fixture->exact, "work_b");
	add(fixture->exact, "main");
	assert_int_equal(build(fixture, &plan), 0);
	assert_int_equal(plan->functions.len, 4);
	assert_null(find(fixture, plan, "work_inner"));
	assert_false(find(fixture, plan, "work_a")->exact);
	assert_true(find(fixture, plan, "work_b")->exact);
	assert_true(find(fixture, plan, "main")->exact); /* added although no pattern names it */
}

static void test_unmatched_pattern(void **state)
{
	struct planned *fixture = *state;
	struct hp_plan *plan = NULL;

	planned_need(fixture);
	add(fixture->functions, "work_a");
	add(fixture->functions, "wrok_outer");
	assert_int_equal(build(fixture, &plan), -ENOENT);
	assert_null(plan);
	assert_non_null(strstr(fixture->err.text, "'wrok_outer'"));
	assert_non_null(strstr(fixture->err.text, "work_outer"));
}

/* A pattern that always comes second has matched all the same. */
static void test_overlapping_patterns(void **state)
{
	struct planned *fixture = *state;
	HP_AUTO(hp_plan) struct hp_plan *plan = NULL;

	planned_need(fixture);
	add(fixture->functions, "work_*");
	add(fixture->functions, "work_a");
	add(fixture->exact, "/^work_b$/");
	add(fixture->exact, "work_b");
	assert_int_equal(build(fixture, &plan), 0);
	assert_non_null(find(fixture, plan, "work_a"));
}

static void test_unmatched_exact(void **state)
{
	struct planned *fixture = *state;
	struct hp_plan *plan = NULL;

	planned_need(fixture);
	add(fixture->exact, "no_such_thing*");
	assert_int_equal(build(fixture, &plan), -ENOENT);
	assert_null(plan);
	assert_non_null(strstr(fixture->err.text, "'no_such_thing*'"));
}

static void test_library_function(void **state)
{
	struct planned *fixture = *state;
	HP_AUTO(hp_plan) struct hp_plan *plan = NULL;
	const struct hp_plan_function *function;

	planned_need(fixture);
	add(fixture->functions, "libc.so:malloc");
	add(fixture->functions, "libc.so:/^_?setjmp$/");
	assert_int_equal(build(fixture, &plan), 0);
	function = find(fixture, plan, "libc.so.6:malloc");
	assert_non_null(function);
	assert_null(function->reason);
	assert_false(plan->images.data[function->image].is_exe);
	assert_string_equal(plan->images.data[function->image].name, "libc.so.6");
	function = find(fixture, plan, "libc.so.6:_setjmp");
	if (!function)
		function = find(fixture, plan, "libc.so.6:setjmp");
	assert_non_null(function);
	assert_non_null(function->reason);
	assert_non_null(strstr(function->reason, "return address"));
}

/* Exceptions pass through C++ functions: a return probe would end the program (trap:U7). */
static void test_modes_of_cxx(void **state)
{
	struct planned *fixture = *state;
	HP_AUTO(hp_plan) struct hp_plan *plan = NULL;
	const struct hp_plan_function *function;
	unsigned exits = 0;

	planned_need(fixture);
	add(fixture->functions, "shop::*");
	assert_int_equal(build(fixture, &plan), 0);
	hp_vec_each(each, &plan->functions) {
		if (each->mode == HP_MODE_EXITS) {
			assert_true(each->nexits > 0);
			assert_int_equal(each->first_exit, exits);
			exits += each->nexits;
		} else {
			assert_int_equal(each->nexits, 0);
		}
		if (!each->reason)
			assert_int_equal(each->untimed != NULL, each->mode == HP_MODE_COUNT);
	}
	assert_int_equal(plan->exits.len, exits);
	function = find(fixture, plan, "shop::price(int)");
	assert_non_null(function);
	assert_int_equal(function->mode, HP_MODE_RETURN); /* calls nothing */
	function = find(fixture, plan, "shop::through(int)");
	assert_non_null(function);
	assert_int_not_equal(function->mode, HP_MODE_RETURN);
	function = find(fixture, plan, "shop::detail::check(int)");
	assert_non_null(function);
	assert_int_not_equal(function->mode, HP_MODE_RETURN);
}

/* trap:U4: by goroutine, at the stack check; the runtime only by name, and then without times. */
static void test_modes_of_go(void **state)
{
	struct planned *fixture = *state;
	HP_AUTO(hp_plan) struct hp_plan *plan = NULL;
	const struct hp_plan_function *function;

	planned_need(fixture);
	assert_int_equal(build(fixture, &plan), 0);
	assert_true(plan->preflight.flags & HP_PRE_GO);
	hp_vec_each(each, &plan->functions)
		assert_true(each->reason || each->mode == HP_MODE_GO ||
			    each->mode == HP_MODE_COUNT);
	function = find(fixture, plan, "main.grow");
	assert_non_null(function);
	assert_null(function->reason);
	assert_int_equal(function->mode, HP_MODE_GO);
	assert_true(function->checks_stack && function->delta > 0 && function->nexits > 0);
	function = find(fixture, plan, "main.leaf");
	assert_non_null(function);
	assert_int_equal(function->mode, HP_MODE_GO);
	assert_false(function->checks_stack);
	function = find(fixture, plan, "runtime.gopark");
	assert_non_null(function);
	assert_non_null(strstr(function->reason, "without a goroutine"));
}

static void test_named_runtime(void **state)
{
	struct planned *fixture = *state;
	HP_AUTO(hp_plan) struct hp_plan *plan = NULL;
	const struct hp_plan_function *function;

	planned_need(fixture);
	add(fixture->functions, "runtime.gopark");
	add(fixture->functions, "runtime.systemstack*");
	assert_int_equal(build(fixture, &plan), 0);
	function = find(fixture, plan, "runtime.gopark");
	assert_non_null(function);
	assert_null(function->reason);
	assert_int_equal(function->mode, HP_MODE_COUNT);
	assert_true(function->checks_stack);
	assert_non_null(strstr(function->untimed, "without a goroutine"));
	hp_vec_each(each, &plan->functions)
		assert_true(each == function || each->reason);
}

static void test_print(void **state)
{
	struct planned *fixture = *state;
	HP_AUTO(hp_plan) struct hp_plan *plan = NULL;
	HP_AUTO_FREE char *text = NULL;
	char line[128];
	unsigned lines = 0;
	size_t size;
	FILE *out;

	planned_need(fixture);
	add(fixture->exact, "work_a");
	add(fixture->functions, "_start");
	assert_int_equal(build(fixture, &plan), 0);
	out = open_memstream(&text, &size);
	assert_non_null(out);
	hp_plan_print(plan, fixture->registry, out);
	fclose(out);
	assert_non_null(strstr(text, "# 2 functions, 1 of them skipped\n"));
	snprintf(line, sizeof(line), "work_a\tcalls\t0x%" PRIx64 "\t", address_of(CALLS, "work_a"));
	assert_non_null(strstr(text, line));
	assert_non_null(strstr(strstr(text, line), "timed by return probe, exact\n"));
	snprintf(line, sizeof(line), "_start\tcalls\t0x%" PRIx64 "\tskipped: start-up code\n",
		 address_of(CALLS, "_start"));
	assert_non_null(strstr(text, line));
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, plan->preflight.nlines + 1 + plan->functions.len);
}

static void test_free_null(void **state)
{
	hp_plan_free(NULL);
}

#define WITH_CALLS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CALLS(test_addresses),
		WITH_CALLS(test_all_functions_of_the_executable),
		WITH_CALLS(test_exclude_and_exact),
		WITH_CALLS(test_unmatched_pattern),
		WITH_CALLS(test_overlapping_patterns),
		WITH_CALLS(test_unmatched_exact),
		WITH_CALLS(test_library_function),
		cmocka_unit_test_setup_teardown(test_modes_of_cxx, setup_cxx, teardown),
		cmocka_unit_test_setup_teardown(test_modes_of_go, setup_go, teardown),
		cmocka_unit_test_setup_teardown(test_named_runtime, setup_go, teardown),
		WITH_CALLS(test_print),
		cmocka_unit_test(test_free_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
