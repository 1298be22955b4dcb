/* Wire contract sections 6.1, 6.2, 12.2 and 15: the bodies of /functions_timing and its logs. */
#include "domains/functions/functions_view.h"

#include <stdio.h>

#include "body.h"
#include "domains/functions/functions_rows.h"

#define SECOND 1000000000ull

static const double percentiles[] = {95, 99.9};
static const struct hp_settings settings = {.percentiles = percentiles, .npercentiles = 2};

/* 100 s into the session. */
static struct hp_function_row rows[] = {
	{.id = 9,
	 .name = "orderd::main",
	 .calls = 3,
	 .timed = 3,
	 .total_ns = 200 * SECOND,
	 .self_ns = 1500,
	 .min_ns = 999,
	 .max_ns = 1234567,
	 .entries = 3,
	 .records = 3},
	{.id = 2,
	 .name = "libfoo.so.1:say \"\xff\"",
	 .calls = 4,
	 .timed = 4,
	 .total_ns = 25 * SECOND,
	 .entries = 6,
	 .records = 1,
	 .dropped = "over its share"},
	{.id = 5, .name = "counted", .calls = 7, .entries = 7, .counted = true},
};
static uint64_t values[] = {123207679, 1000190509055, 5003, 5003, 0, 0};

static struct hp_functions_list list_of(size_t nrows)
{
	return (struct hp_functions_list){
		.base = {.start_ns = 5 * SECOND, .now_ns = 105 * SECOND},
		.caller = "orderd",
		.rows = rows,
		.percentiles = values,
		.nrows = nrows,
	};
}

static cJSON *render(const struct hp_functions_list *list, const struct hp_settings *with, bool raw)
{
	return body_of(&hp_functions_views[HP_FUNCTIONS_LIST], list ? &list->base : NULL, with,
		       raw);
}

static void test_list(void **state)
{
	const struct hp_functions_list list = list_of(3);
	cJSON *body = render(&list, &settings, false);

	assert_text(body, "profiling_mode", "timing");
	assert_text(body, "time_elapsed", "100.00 s");
	assert_number(body, "total_elapsed_ns", 100e9);
	assert_text(body, "description", "Execution duration of functions.");
	assert_text(body, "caller_name", "orderd");
	assert_int_equal(length(body, "percentiles"), 2);
	assert_true(entry(body, "percentiles", 0)->valuedouble == 95);
	assert_true(entry(body, "percentiles", 1)->valuedouble == 99.9);
	assert_number(body, "total_count", 3);
	assert_number(body, "included_count", 3);
	assert_null(member(body, "total_allocated"));
	assert_text(
		body, "self_note",
		"calls of 1 functions were not, or not all, timed (sampling): those calls are in "
		"the self time of their callers");
	assert_int_equal(length(body, "data"), 3);
	assert_number(entry(body, "data", 0), "id", 9);
	assert_number(entry(body, "data", 1), "id", 2);
	assert_number(entry(body, "data", 2), "id", 5);
	cJSON_Delete(body);
}

static void test_entry(void **state)
{
	const struct hp_functions_list list = list_of(3);
	cJSON *body = render(&list, &settings, false);
	const cJSON *row = entry(body, "data", 0);

	assert_text(row, "name", "orderd::main");
	assert_number(row, "calls", 3);
	assert_text(row, "avg", "66.67 s"); /* 66,666,666,666 ns */
	assert_text(row, "p95", "123.21 ms");
	assert_text(row, "p99.9", "1000.19 s");
	assert_text(row, "total", "200.00 s");
	assert_text(row, "percent_total", "200.00%");
	assert_text(row, "self", "1.50 \xc2\xb5s");
	assert_text(row, "min", "999 ns");
	assert_text(row, "max", "1.23 ms");
	assert_null(member(row, "entries"));
	assert_null(member(row, "percentiles_from"));
	assert_null(member(row, "dropped"));
	assert_null(member(row, "sampling"));

	row = entry(body, "data", 1);
	assert_text(row, "name", "libfoo.so.1:say \"\xef\xbf\xbd\"");
	assert_text(row, "percent_total", "25.00%");
	assert_text(row, "entries", "6");
	assert_text(row, "percentiles_from", "1 of 4 calls");
	assert_text(row, "dropped", "over its share");

	row = entry(body, "data", 2);
	assert_number(row, "calls", 7);
	assert_text(row, "avg", "0 ns");
	assert_text(row, "p95", "0 ns");
	assert_text(row, "percent_total", "0.00%");
	assert_text(row, "sampling", "entries counted, calls not timed");
	assert_null(member(row, "entries"));
	assert_null(member(row, "percentiles_from"));
	cJSON_Delete(body);
}

/* The first two were timed at each call: no caller holds what is not its own. */
static void test_no_self_note(void **state)
{
	const struct hp_functions_list list = list_of(2);
	cJSON *body = render(&list, &settings, false);

	assert_null(member(body, "self_note"));
	cJSON_Delete(body);
}

/* Members that an entry has only where there is something to say. */
static void test_times_and_flights(void **state)
{
	struct hp_functions_list list = list_of(3);
	char longest[] = "thread 7: main > serve";
	struct hp_function_row mine[3];
	const cJSON *row;
	cJSON *body;

	memcpy(mine, rows, sizeof(mine));
	list.rows = mine;
	list.rows[0].records = 3;
	list.rows[0].first_ns = list.base.start_ns + 1500;
	list.rows[0].last_ns = list.base.start_ns + 90 * SECOND;
	list.rows[0].in_flight = 2;
	list.rows[0].longest_ns = 2500;
	list.rows[0].longest = longest;
	list.rows[1].records = 0;
	for (int raw = 0; raw < 2; raw++) {
		body = render(&list, &settings, raw);
		row = entry(body, "data", 0);
		assert_text(row, "first_call", "1.50 \xc2\xb5s");
		assert_text(row, "last_call", "90.00 s");
		assert_text(row, "in_flight", "2");
		assert_text(row, "longest_in_flight", "2.50 \xc2\xb5s");
		assert_text(row, "longest_in_flight_at", longest);
		assert_number(row, "first_call_ns", raw ? 1500 : -1);
		assert_number(row, "last_call_ns", raw ? 90e9 : -1);
		assert_number(row, "longest_in_flight_ns", raw ? 2500 : -1);
		row = entry(body, "data", 1);
		assert_null(member(row, "first_call"));
		assert_null(member(row, "in_flight"));
		assert_null(member(row, "longest_in_flight"));
		cJSON_Delete(body);
	}
}

/* Section 3, rule 5: what an old console does not know in an entry must be a text. */
static void test_unknown_members_are_texts(void **state)
{
	const struct hp_functions_list list = list_of(3);
	cJSON *body = render(&list, &settings, false);

	for (int i = 0; i < 3; i++) {
		const cJSON *item;

		cJSON_ArrayForEach(item, entry(body, "data", i))
		{
			bool number = strcmp(item->string, "id") == 0 ||
				      strcmp(item->string, "calls") == 0;

			assert_true(number ? cJSON_IsNumber(item) : cJSON_IsString(item));
		}
	}
	cJSON_Delete(body);
}

static void test_latest_wire(void **state)
{
	const struct hp_settings latest = {
		.percentiles = percentiles, .npercentiles = 2, .wire_latest = true};
	const struct hp_functions_list list = list_of(3);
	cJSON *body = render(&list, &latest, false);

	assert_number(entry(body, "data", 0), "sampled_calls", 3);
	assert_number(entry(body, "data", 1), "sampled_calls", 4);
	assert_number(entry(body, "data", 2), "sampled_calls", 0); /* no call was timed */
	cJSON_Delete(body);
}

static void test_raw(void **state)
{
	const struct hp_functions_list list = list_of(3);
	cJSON *body = render(&list, &settings, true);
	const cJSON *row = entry(body, "data", 0);

	assert_number(row, "avg_ns", 66666666666.0);
	assert_number(row, "total_ns", 200e9);
	assert_number(row, "self_ns", 1500);
	assert_number(row, "min_ns", 999);
	assert_number(row, "max_ns", 1234567);
	assert_number(row, "p95_ns", 123207679);
	assert_number(row, "p99.9_ns", 1000190509055.0);
	assert_number(row, "percent_total_percent", 200);
	assert_text(row, "total", "200.00 s");
	cJSON_Delete(body);
}

/* The limit cuts what is shown, not what the percentages refer to. */
static void test_limit(void **state)
{
	const struct hp_functions_list list = list_of(3);
	struct hp_settings limited = settings;
	cJSON *body;

	for (unsigned limit = 0; limit <= 4; limit++) {
		int shown = limit == 0 || limit > 3 ? 3 : (int)limit;

		limited.limit = limit;
		body = render(&list, &limited, false);
		assert_int_equal(length(body, "data"), shown);
		assert_number(body, "total_count", 3);
		assert_number(body, "included_count", shown);
		assert_text(entry(body, "data", 0), "percent_total", "200.00%");
		cJSON_Delete(body);
	}
}

static void test_drops_and_skips(void **state)
{
	struct hp_functions_drop drops[] = {{.entity = 2, .reason = "over its share"}};
	const char *names[] = {"gone"};
	struct hp_functions_list list = list_of(3);
	cJSON *body;

	list.drops = drops;
	list.drop_names = names;
	list.ndrops = 1;
	list.skips[0] = (struct hp_functions_skip){.reason = "too short", .count = 12};
	list.nskips = 1;
	for (size_t nrows = 0; nrows <= 3; nrows += 3) { /* also while nothing has returned yet */
		list.nrows = nrows;
		body = render(&list, &settings, false);
		assert_int_equal(length(body, "dropped"), 1);
		assert_number(entry(body, "dropped", 0), "id", 2);
		assert_text(entry(body, "dropped", 0), "name", "gone");
		assert_text(entry(body, "dropped", 0), "reason", "over its share");
		assert_number(member(body, "skipped"), "too short", 12);
		cJSON_Delete(body);
	}
}

/* Before any data, and with the domain off: never 404. */
static void test_no_data(void **state)
{
	const struct hp_functions_list list = list_of(0);

	assert_true(hp_functions_views[HP_FUNCTIONS_LIST].always);
	for (int off = 0; off < 2; off++) {
		cJSON *body = render(off ? NULL : &list, &settings, false);

		assert_text(body, "profiling_mode", "timing");
		assert_text(body, "time_elapsed", "0 ns");
		assert_number(body, "total_elapsed_ns", 0);
		assert_text(body, "description", "No timing data available yet");
		assert_text(body, "caller_name", "hotpath");
		assert_int_equal(length(body, "percentiles"), 1);
		assert_true(entry(body, "percentiles", 0)->valuedouble == 95);
		assert_int_equal(length(body, "data"), 0);
		assert_number(body, "total_count", 0);
		assert_number(body, "included_count", 0);
		cJSON_Delete(body);
	}
}

static void test_logs(void **state)
{
	struct hp_functions_logs logs = {
		.base = {.start_ns = 5 * SECOND, .now_ns = 105 * SECOND},
		.name = "orderd::main",
		.calls = 70,
		.nlogs = 50,
	};
	const cJSON *row;
	cJSON *body;

	for (uint64_t i = 0; i < 50; i++)
		logs.logs[i] = (struct hp_log_entry){
			.ts_ns = (104 - 2 * i) * SECOND, .value = 1500 + i, .tid = 77};
	body = body_of(&hp_functions_views[HP_FUNCTIONS_LOGS], &logs.base, &settings, false);
	assert_text(body, "function_name", "orderd::main");
	assert_number(body, "total_invocations", 70);
	assert_int_equal(length(body, "logs"), 50);
	row = entry(body, "logs", 0);
	assert_number(row, "invocation", 70); /* the newest has the number of calls */
	assert_text(row, "duration", "1.50 \xc2\xb5s");
	assert_text(row, "timestamp", "99.00 s");
	assert_text(row, "ago", "1s ago");
	assert_number(row, "thread_id", 77);
	assert_true(cJSON_IsNull(member(row, "result")));
	row = entry(body, "logs", 49);
	assert_number(row, "invocation", 21);
	assert_text(row, "timestamp", "1.00 s");
	assert_text(row, "ago", "1m ago");
	cJSON_Delete(body);

	/* An event after the snapshot was dated, and one before the session. */
	logs.nlogs = 2;
	logs.logs[0].ts_ns = 106 * SECOND;
	logs.logs[1].ts_ns = 1 * SECOND;
	body = body_of(&hp_functions_views[HP_FUNCTIONS_LOGS], &logs.base, &settings, true);
	assert_text(entry(body, "logs", 0), "ago", "now");
	assert_text(entry(body, "logs", 1), "timestamp", "0 ns");
	assert_number(entry(body, "logs", 0), "duration_ns", 1500);
	assert_number(entry(body, "logs", 0), "timestamp_ns", 101e9);
	cJSON_Delete(body);
}

static void test_print(void **state)
{
	const struct hp_functions_list list = list_of(3);
	HP_AUTO_FREE char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(hp_functions_print(&list.base, &settings, out, 120, false), 0);
	fclose(out);
	assert_non_null(strstr(text, "3 of 3 functions, 100.00 s"));
	assert_non_null(strstr(text, "P99.9"));
	assert_non_null(strstr(text, "orderd::main"));
	assert_non_null(strstr(text, "66.67 s"));
	assert_non_null(strstr(text, "200.00%"));
	assert_true(strstr(text, "orderd::main") < strstr(text, "libfoo.so.1"));
	assert_null(strstr(text, "~"));
	assert_null(strstr(text, "not probed"));
}

/* A figure that is an estimate, or that misses calls, is marked, and the mark explained. */
static void test_print_marks(void **state)
{
	struct hp_functions_list list = list_of(3);
	HP_AUTO_FREE char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	list.rows[0].timed = 1;
	list.rows[1].unprobed_ns = SECOND;
	assert_int_equal(hp_functions_print(&list.base, &settings, out, 120, false), 0);
	fclose(out);
	list.rows[0].timed = 3;
	list.rows[1].unprobed_ns = 0;
	assert_non_null(strstr(text, "~200.00 s"));
	assert_non_null(strstr(text, " 4*"));
	assert_non_null(strstr(text, "~ estimated"));
	assert_non_null(strstr(text, "* was not probed"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_no_self_note),
		cmocka_unit_test(test_times_and_flights),
		cmocka_unit_test(test_unknown_members_are_texts),
		cmocka_unit_test(test_latest_wire),
		cmocka_unit_test(test_raw),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_drops_and_skips),
		cmocka_unit_test(test_no_data),
		cmocka_unit_test(test_logs),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_print_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
