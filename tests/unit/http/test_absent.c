/* Routes of domains that do not exist: a console tab stays empty, or says truthfully why it is. */
#include "http/absent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "base/clock.h"
#include "http/router.h"

#define AGE_NS (5 * UINT64_C(1000000000))

static const double percentiles[] = {50, 99.9};

struct fixture {
	struct hp_router *router;
	struct hp_absent absent;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->absent.start_ns = hp_clock_mono_ns() - AGE_NS;
	fixture->absent.percentiles = percentiles;
	fixture->absent.npercentiles = HP_ARRAY_SIZE(percentiles);
	assert_int_equal(hp_router_new(NULL, &fixture->router), 0);
	assert_int_equal(hp_absent_add(fixture->router, &fixture->absent), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	hp_router_free(fixture->router);
	free(fixture);
	return 0;
}

/* The caller deletes the body. */
static cJSON *ask(const struct fixture *fixture, const char *method, const char *path,
		  const char *query, int status)
{
	const struct hp_request request = {.method = method, .path = path, .query = query};
	struct hp_response response = {0};
	cJSON *body;

	hp_router_handle(fixture->router, &request, &response);
	if (response.status != status)
		print_error("%s: status %d\n", path, response.status);
	assert_int_equal(response.status, status);
	assert_string_equal(response.content_type, "application/json");
	body = cJSON_ParseWithLength(response.body, response.len);
	assert_true(cJSON_IsObject(body));
	hp_response_reset(&response);
	return body;
}

static double number(const cJSON *body, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(body, key);

	if (!cJSON_IsNumber(item))
		print_error("no number %s\n", key);
	assert_true(cJSON_IsNumber(item));
	return item->valuedouble;
}

enum { PERCENTILES = 1, TOTALS = 2, ALLOC = 4 };

static const struct {
	const char *path;
	const char *array;
	unsigned has;
} lists[] = {
	{"/debug", "entries", 0},
	{"/channels", "data", PERCENTILES},
	{"/streams", "data", 0},
	{"/futures", "data", 0},
	{"/rw_locks", "data", PERCENTILES},
	{"/mutexes", "data", PERCENTILES},
	{"/sql", "data", PERCENTILES | TOTALS},
	{"/http", "data", PERCENTILES | TOTALS},
	{"/server", "data", PERCENTILES | TOTALS | ALLOC},
	{"/io", "data", PERCENTILES},
};

static void check_list(const cJSON *body, const char *array, unsigned has)
{
	const cJSON *data = cJSON_GetObjectItemCaseSensitive(body, array);
	double elapsed = number(body, "current_elapsed_ns");

	assert_true(cJSON_IsArray(data));
	assert_int_equal(cJSON_GetArraySize(data), 0);
	assert_true(number(body, "total_count") == 0);
	assert_true(number(body, "included_count") == 0);
	assert_true(elapsed >= (double)AGE_NS);
	assert_true(elapsed < (double)AGE_NS + 120e9); /* the longest that a test may run */
	if (has & PERCENTILES) {
		const cJSON *list = cJSON_GetObjectItemCaseSensitive(body, "percentiles");

		assert_int_equal(cJSON_GetArraySize(list), 2);
		assert_true(cJSON_GetArrayItem(list, 0)->valuedouble == 50);
		assert_true(cJSON_GetArrayItem(list, 1)->valuedouble == 99.9);
	}
	if (has & TOTALS) {
		assert_true(number(body, "total_ns") == 0);
		assert_true(number(body, "total_calls") == 0);
	}
	if (has & ALLOC)
		assert_true(number(body, "total_alloc_bytes") == 0);
}

static void test_lists_are_empty(void **state)
{
	for (size_t i = 0; i < HP_ARRAY_SIZE(lists); i++) {
		cJSON *body = ask(*state, "GET", lists[i].path, NULL, 200);

		check_list(body, lists[i].array, lists[i].has);
		cJSON_Delete(body);
	}
}

static void test_raw_changes_nothing(void **state)
{
	for (size_t i = 0; i < HP_ARRAY_SIZE(lists); i++) {
		cJSON *plain = ask(*state, "GET", lists[i].path, NULL, 200);
		cJSON *raw = ask(*state, "GET", lists[i].path, "raw=1", 200);

		cJSON_DeleteItemFromObjectCaseSensitive(plain, "current_elapsed_ns");
		cJSON_DeleteItemFromObjectCaseSensitive(raw, "current_elapsed_ns");
		assert_true(cJSON_Compare(plain, raw, true));
		cJSON_Delete(plain);
		cJSON_Delete(raw);
	}
}

static void test_elapsed_counts(void **state)
{
	cJSON *body = ask(*state, "GET", "/channels", NULL, 200);
	double first = number(body, "current_elapsed_ns");

	cJSON_Delete(body);
	body = ask(*state, "GET", "/channels", NULL, 200);
	assert_true(number(body, "current_elapsed_ns") > first);
	cJSON_Delete(body);
}

/* The console shows the text as it is: it may not name a switch that this version does not have. */
static void check_text(const cJSON *body)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(body, "error"));

	assert_non_null(text);
	assert_string_not_equal(text, "Not found");
	assert_true(strlen(text) > 10);
	assert_null(strstr(text, "--"));
	assert_null(strstr(text, "hotpath-alloc"));
	assert_null(strstr(text, "hotpath::"));
	assert_null(strchr(text, '\n'));
}

static void test_unavailable(void **state)
{
	static const char *const paths[] = {
		"/tokio_runtime",           "/debug/dbg/1/logs",   "/debug/val/1/logs",
		"/debug/gauge/1/logs",      "/channels/1/logs",    "/streams/1/logs",
		"/futures/1/logs",          "/sql/1/logs",         "/http/1/logs",
		"/server/1/logs",           "/channels/+007/logs", "/futures/0/logs",
		"/streams/4294967295/logs",
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(paths); i++) {
		cJSON *body = ask(*state, "GET", paths[i], NULL, 404);

		check_text(body);
		cJSON_Delete(body);
	}
}

static void test_no_such_route(void **state)
{
	static const char *const paths[] = {
		"/io/1/logs",        "/mutexes/1/logs",      "/rw_locks/1/logs",
		"/debug/1/logs",     "/debug/x/1/logs",      "/tokio_runtime/1/logs",
		"/channels/-1/logs", "/sql/4294967296/logs", "/functions_alloc/x/logs",
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(paths); i++) {
		cJSON *body = ask(*state, "GET", paths[i], NULL, 404);

		assert_string_equal(
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(body, "error")),
			"Not found");
		cJSON_Delete(body);
	}
}

static void test_methods(void **state)
{
	cJSON_Delete(ask(*state, "HEAD", "/channels", NULL, 200));
	cJSON_Delete(ask(*state, "POST", "/channels", NULL, 405));
}

#define WITH_ROUTES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROUTES(test_lists_are_empty), WITH_ROUTES(test_raw_changes_nothing),
		WITH_ROUTES(test_elapsed_counts),  WITH_ROUTES(test_unavailable),
		WITH_ROUTES(test_no_such_route),   WITH_ROUTES(test_methods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
