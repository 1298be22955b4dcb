/* Wire contract section 1 without sockets: which request reaches which handler, and what the others get. */
#include "http/router.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

struct seen {
	unsigned calls;
	uint32_t id;
	char method[16];
	char query[64];
};

struct fixture {
	struct hp_router *router;
	struct seen list, logs, any;
};

static void handle(void *arg, const struct hp_request *request, uint32_t id,
		   struct hp_response *response)
{
	struct seen *seen = arg;

	seen->calls++;
	seen->id = id;
	snprintf(seen->method, sizeof(seen->method), "%s", request->method);
	snprintf(seen->query, sizeof(seen->query), "%s",
		 request->query ? request->query : "(none)");
	hp_response_json(response, 200, strdup("{\"ok\":true}"));
}

static int setup_with(void **state, const char *extra_host)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char pattern[64] = "/functions_timing/{id}/logs";

	assert_non_null(fixture);
	assert_int_equal(hp_router_new(extra_host, &fixture->router), 0);
	assert_int_equal(hp_router_add(fixture->router, "/threads", NULL, handle, &fixture->list),
			 0);
	assert_int_equal(hp_router_add(fixture->router, pattern, NULL, handle, &fixture->logs), 0);
	memset(pattern, 'x', sizeof(pattern) - 1); /* the router keeps a copy of its own */
	assert_int_equal(hp_router_add(fixture->router, "/functions_cpu/snapshot", "*", handle,
				       &fixture->any),
			 0);
	*state = fixture;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, NULL);
}

static int setup_extra(void **state)
{
	return setup_with(state, "profiler.example");
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	hp_router_free(fixture->router);
	free(fixture);
	return 0;
}

/* The status of @request; checks what every answer has in common, and the error text if @error is given. */
static int ask(const struct fixture *fixture, const struct hp_request *request, const char *error)
{
	struct hp_response response = {0};
	cJSON *body;
	int status;

	hp_router_handle(fixture->router, request, &response);
	assert_non_null(response.body);
	assert_int_equal(response.len, strlen(response.body));
	assert_string_equal(response.content_type, "application/json");
	body = cJSON_Parse(response.body);
	assert_true(cJSON_IsObject(body));
	if (response.status >= 400) {
		assert_true(cJSON_IsString(cJSON_GetObjectItemCaseSensitive(body, "error")));
		assert_int_equal(cJSON_GetArraySize(body), 1);
	}
	if (error)
		assert_string_equal(
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(body, "error")),
			error);
	cJSON_Delete(body);
	status = response.status;
	hp_response_reset(&response);
	return status;
}

static int get(const struct fixture *fixture, const char *path)
{
	const struct hp_request request = {.method = "GET", .path = path};

	return ask(fixture, &request, NULL);
}

static int get_from(const struct fixture *fixture, const char *host, const char *origin)
{
	const struct hp_request request = {
		.method = "GET", .path = "/threads", .host = host, .origin = origin};

	return ask(fixture, &request, NULL);
}

static void test_exact_path(void **state)
{
	struct fixture *fixture = *state;
	static const char *const unknown[] = {
		"",
		"/",
		"threads",
		"/thread",
		"/threads/",
		"/threads//",
		"//threads",
		"/Threads",
		"/THREADS",
		"/threadsx",
		"/thr%65ads",
		"/%74hreads",
		"/./threads",
		"/x/../threads",
		"/threads;a=1",
		"/threads ",
		" /threads",
		"/threads\x01",
		"/threads/1/logs",
		"/threads#x",
		"/threads%00",
		"/threads%3F",
		"*",
		"/\xff\xfe",
	};

	assert_int_equal(get(fixture, "/threads"), 200);
	assert_int_equal(fixture->list.calls, 1);
	assert_int_equal(fixture->list.id, 0);
	for (size_t i = 0; i < HP_ARRAY_SIZE(unknown); i++) {
		const struct hp_request request = {.method = "GET", .path = unknown[i]};

		assert_int_equal(ask(fixture, &request, "Not found"), 404);
	}
	assert_int_equal(fixture->list.calls, 1);
}

static void test_id_numbers(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *text;
		uint32_t id;
	} good[] = {
		{"0", 0},
		{"7", 7},
		{"+7", 7},
		{"007", 7},
		{"+007", 7},
		{"4294967295", 4294967295u},
		{"0000000000000000000000000000000000000004294967295", 4294967295u},
	};
	static const char *const bad[] = {
		"",
		"+",
		"-",
		"-1",
		"-0",
		"++1",
		"+-1",
		" 1",
		"1 ",
		"1a",
		"a",
		"0x1",
		"1.0",
		"1e3",
		"%31",
		"1/",
		"{id}",
		"4294967296",
		"+4294967296",
		"18446744073709551617",
		"1_0",
		"\xd9\xa1",
		"99999999999999999999999999999999999999999",
	};
	char path[128];

	for (size_t i = 0; i < HP_ARRAY_SIZE(good); i++) {
		fixture->logs = (struct seen){.id = 12345};
		snprintf(path, sizeof(path), "/functions_timing/%s/logs", good[i].text);
		assert_int_equal(get(fixture, path), 200);
		assert_int_equal(fixture->logs.calls, 1);
		assert_int_equal(fixture->logs.id, good[i].id);
	}
	fixture->logs.calls = 0;
	for (size_t i = 0; i < HP_ARRAY_SIZE(bad); i++) {
		const struct hp_request request = {.method = "GET", .path = path};

		snprintf(path, sizeof(path), "/functions_timing/%s/logs", bad[i]);
		assert_int_equal(ask(fixture, &request, "Not found"), 404);
	}
	assert_int_equal(get(fixture, "/functions_timing/1"), 404);
	assert_int_equal(get(fixture, "/functions_timing/1/"), 404);
	assert_int_equal(get(fixture, "/functions_timing/1/log"), 404);
	assert_int_equal(get(fixture, "/functions_timing/1/logs/"), 404);
	assert_int_equal(get(fixture, "/functions_timing/1/logsx"), 404);
	assert_int_equal(get(fixture, "/functions_timing//logs"), 404);
	assert_int_equal(fixture->logs.calls, 0);
}

static void test_methods(void **state)
{
	struct fixture *fixture = *state;
	static const char *const others[] = {"POST",  "PUT", "DELETE", "OPTIONS",
					     "PATCH", "get", ""};
	struct hp_request request = {.method = "HEAD", .path = "/threads"};

	assert_int_equal(ask(fixture, &request, NULL), 200);
	assert_string_equal(fixture->list.method, "HEAD");
	fixture->list.calls = 0;
	for (size_t i = 0; i < HP_ARRAY_SIZE(others); i++) {
		request.method = others[i];
		assert_int_equal(ask(fixture, &request, "Method not allowed - use GET"), 405);
	}
	assert_int_equal(fixture->list.calls, 0);

	/* An unknown path is unknown with every method. */
	request = (struct hp_request){.method = "POST", .path = "/nowhere"};
	assert_int_equal(ask(fixture, &request, "Not found"), 404);

	/* "*": the handler sees every method and decides. */
	request.path = "/functions_cpu/snapshot";
	assert_int_equal(ask(fixture, &request, NULL), 200);
	assert_string_equal(fixture->any.method, "POST");
	request.method = "DELETE";
	assert_int_equal(ask(fixture, &request, NULL), 200);
	assert_string_equal(fixture->any.method, "DELETE");
}

static void test_query_is_no_part_of_the_route(void **state)
{
	struct fixture *fixture = *state;
	struct hp_request request = {.method = "GET", .path = "/threads", .query = "x=1&y=?/z"};

	assert_int_equal(ask(fixture, &request, NULL), 200);
	assert_string_equal(fixture->list.query, "x=1&y=?/z");
	request.query = "";
	assert_int_equal(ask(fixture, &request, NULL), 200);
	request.query = NULL;
	assert_int_equal(ask(fixture, &request, NULL), 200);
	assert_string_equal(fixture->list.query, "(none)");
}

static void test_host(void **state)
{
	struct fixture *fixture = *state;
	static const char *const ours[] = {"localhost",   "localhost:6770", "127.0.0.1",
					   "127.0.0.1:1", "[::1]",          "[::1]:65535"};
	static const char *const foreign[] = {
		"evil.example",
		"evil.example:6770",
		"localhost.evil.example",
		"evil.localhost",
		"127.0.0.1.example",
		"127.0.0.2",
		"127.0.0.1evil:6770",
		"[::2]",
		"[::1]evil",
		"localhost@evil",
		"evil@localhost",
		"profiler.example",
		"localhost:80.evil.example",
	};

	assert_int_equal(get_from(fixture, NULL, NULL), 200);
	for (size_t i = 0; i < HP_ARRAY_SIZE(ours); i++)
		assert_int_equal(get_from(fixture, ours[i], NULL), 200);
	fixture->list.calls = 0;
	for (size_t i = 0; i < HP_ARRAY_SIZE(foreign); i++)
		assert_int_equal(get_from(fixture, foreign[i], NULL), 403);
	assert_int_equal(fixture->list.calls, 0);
}

static void test_origin(void **state)
{
	struct fixture *fixture = *state;
	static const char *const ours[] = {
		"http://localhost", "http://localhost:3000", "http://127.0.0.1:6770",
		"http://[::1]",     "http://[::1]:6770",
	};
	static const char *const foreign[] = {
		"null",
		"http://evil.example",
		"http://localhost.evil.example",
		"https://localhost",
		"file://",
		"localhost",
		"http://",
		"http://evil.example/http://localhost",
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(ours); i++)
		assert_int_equal(get_from(fixture, "localhost:6770", ours[i]), 200);
	fixture->list.calls = 0;
	for (size_t i = 0; i < HP_ARRAY_SIZE(foreign); i++)
		assert_int_equal(get_from(fixture, "localhost:6770", foreign[i]), 403);
	assert_int_equal(fixture->list.calls, 0);
}

/* A page that rebinds its name must not learn which paths exist either. */
static void test_host_is_checked_before_the_path(void **state)
{
	struct fixture *fixture = *state;
	const struct hp_request request = {
		.method = "GET", .path = "/nowhere", .host = "evil.example"};

	assert_int_equal(ask(fixture, &request, NULL), 403);
}

static void test_extra_host(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(get_from(fixture, "profiler.example", NULL), 200);
	assert_int_equal(get_from(fixture, "profiler.example:80", NULL), 200);
	assert_int_equal(get_from(fixture, "localhost", "http://profiler.example:80"), 200);
	assert_int_equal(get_from(fixture, "127.0.0.1:6770", NULL), 200);
	assert_int_equal(get_from(fixture, "profiler.example.evil", NULL), 403);
	assert_int_equal(get_from(fixture, "xprofiler.example", NULL), 403);
	assert_int_equal(get_from(fixture, "profiler.exampl", NULL), 403);
}

static void test_error_text_is_escaped(void **state)
{
	static const char text[] = "say \"no\" \\ tab\t line\n \x01 \xc2\xb5";
	struct hp_response response = {0};
	cJSON *body;

	hp_response_error(&response, 503, text);
	assert_int_equal(response.status, 503);
	assert_string_equal(response.content_type, "application/json");
	assert_int_equal(response.len, strlen(response.body));
	body = cJSON_Parse(response.body);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(body, "error")),
			    text);
	cJSON_Delete(body);
	hp_response_reset(&response);

	/* Bytes of the target's that are no UTF-8 become U+FFFD, else the console drops the body. */
	hp_response_error(&response, 404,
			  "a\xff"
			  "b");
	assert_non_null(strstr(response.body, "a\xef\xbf\xbd"
					      "b"));
	hp_response_reset(&response);
}

static void test_response_reset(void **state)
{
	struct hp_response response = {0};

	hp_response_reset(&response);
	hp_response_json(&response, 202, strdup("[]"));
	assert_int_equal(response.status, 202);
	assert_int_equal(response.len, 2);
	assert_string_equal(response.body, "[]");
	hp_response_reset(&response);
	assert_null(response.body);
	assert_int_equal(response.len, 0);
	hp_response_reset(&response);
}

static void test_many_routes(void **state)
{
	struct fixture *fixture = *state;
	struct seen seen[100] = {0};
	char path[32];

	for (unsigned i = 0; i < HP_ARRAY_SIZE(seen); i++) {
		snprintf(path, sizeof(path), "/many/%u", i);
		assert_int_equal(hp_router_add(fixture->router, path, NULL, handle, &seen[i]), 0);
	}
	assert_int_equal(get(fixture, "/many/99"), 200);
	assert_int_equal(seen[99].calls, 1);
	assert_int_equal(seen[9].calls, 0);
	assert_int_equal(get(fixture, "/threads"), 200);
}

static void test_free_null(void **state)
{
	hp_router_free(NULL);
}

#define WITH_ROUTER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROUTER(test_exact_path),
		WITH_ROUTER(test_id_numbers),
		WITH_ROUTER(test_methods),
		WITH_ROUTER(test_query_is_no_part_of_the_route),
		WITH_ROUTER(test_host),
		WITH_ROUTER(test_origin),
		WITH_ROUTER(test_host_is_checked_before_the_path),
		cmocka_unit_test_setup_teardown(test_extra_host, setup_extra, teardown),
		cmocka_unit_test(test_error_text_is_escaped),
		cmocka_unit_test(test_response_reset),
		WITH_ROUTER(test_many_routes),
		cmocka_unit_test(test_free_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
