/* The routes of profiles: what is in each body, and that a refused question has no body. */
#include "domains/cpu/cpu_answer.h"

#include <errno.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "base/err.h"
#include "cpu_engine.h"
#include "engine/domain.h"

#define JSON "application/json"
#define TEXT "text/plain; charset=utf-8"

typedef int (*answer_fn)(struct hp_engine *, const char *, struct hp_body *, struct hp_err *);

/* Two samples of a;b and one of a;c in the last minute, one of a;d two minutes ago. */
static void fill(struct hp_engine *engine)
{
	uint64_t now = hp_clock_mono_ns();

	engine_push(engine, now - 120 * SEC_NS, now - 119 * SEC_NS, "da");
	engine_push(engine, now - 9 * SEC_NS, now - 8 * SEC_NS, "ba");
	engine_push(engine, now - 8 * SEC_NS, now - 7 * SEC_NS, "ba");
	engine_push(engine, now - 7 * SEC_NS, now - 6 * SEC_NS, "ca");
}

static struct hp_body ask(struct hp_engine *engine, answer_fn answer, const char *query,
			  const char *type)
{
	struct hp_body body = {0};
	struct hp_err err = {0};

	assert_int_equal(answer(engine, query, &body, &err), 0);
	assert_string_equal(body.content_type, type);
	assert_non_null(body.data);
	return body;
}

static void expect_text(struct hp_engine *engine, answer_fn answer, const char *query,
			const char *text)
{
	struct hp_body body = ask(engine, answer, query, TEXT);

	assert_string_equal(body.data, text);
	assert_int_equal(body.len, strlen(text));
	assert_false(body.packed);
	free(body.data);
}

/* With @member, which no other format has. */
static void expect_json(struct hp_engine *engine, answer_fn answer, const char *query,
			const char *member)
{
	struct hp_body body = ask(engine, answer, query, JSON);
	cJSON *json = cJSON_Parse(body.data);

	assert_int_equal(body.len, strlen(body.data));
	assert_true(cJSON_IsObject(json));
	if (!cJSON_GetObjectItemCaseSensitive(json, member))
		fail_msg("%s: no %s in %s", query, member, body.data);
	cJSON_Delete(json);
	free(body.data);
}

static void expect_gzip(struct hp_engine *engine, answer_fn answer, const char *query)
{
	struct hp_body body = ask(engine, answer, query, "application/octet-stream");

	assert_true(body.packed);
	assert_true(body.len > 18);
	assert_memory_equal(body.data, "\x1f\x8b", 2);
	free(body.data);
}

static void test_formats(void **state)
{
	struct hp_engine *engine = *state;

	fill(engine);
	expect_text(engine, hp_cpu_answer_profile, "window=60", "a;b 2\na;c 1\n");
	expect_text(engine, hp_cpu_answer_profile, "window=60&format=folded", "a;b 2\na;c 1\n");
	expect_text(engine, hp_cpu_answer_profile, "window=300", "a;b 2\na;c 1\na;d 1\n");
	expect_json(engine, hp_cpu_answer_profile, "window=60&format=json", "stack_ends");
	expect_json(engine, hp_cpu_answer_profile, "window=60&format=firefox", "meta");
	expect_json(engine, hp_cpu_answer_profile, "window=60&format=speedscope", "$schema");
	expect_gzip(engine, hp_cpu_answer_profile, "window=60&format=pprof");
}

static void test_diff(void **state)
{
	struct hp_engine *engine = *state;

	fill(engine);
	expect_text(engine, hp_cpu_answer_diff, "a=180..60&b=60", "a;b 0 2\na;c 0 1\na;d 1 0\n");
	expect_json(engine, hp_cpu_answer_diff, "a=180..60&b=60&format=json", "functions");
}

static void cut_second(struct hp_engine *engine, uint64_t now_ns)
{
	if (engine->marked_ns)
		engine_push(engine, engine->marked_ns, now_ns, "ba");
}

/* As "go tool pprof" asks. */
static void test_pprof(void **state)
{
	struct hp_engine *engine = *state;

	engine->on_mark = cut_second;
	expect_gzip(engine, hp_cpu_answer_pprof, "seconds=1");
	assert_int_equal(engine->marks, 2);
}

static void expect_refused(struct hp_engine *engine, answer_fn answer, const char *query, int code)
{
	struct hp_body body = {0};
	struct hp_err err = {0};

	assert_int_equal(answer(engine, query, &body, &err), code);
	assert_null(body.data);
	if (code == -EINVAL || code == -ENOENT || code == -EBUSY)
		assert_true(err.text[0] != '\0');
}

static void test_refusals(void **state)
{
	struct hp_engine *engine = *state;

	expect_refused(engine, hp_cpu_answer_profile, "format=nonsense", -EINVAL);
	expect_refused(engine, hp_cpu_answer_pprof, "seconds=-1", -EINVAL);
	expect_refused(engine, hp_cpu_answer_diff, "a=nonsense", -EINVAL);
	expect_refused(engine, hp_cpu_answer_profile, "window=60&type=offcpu", -ENOENT);
	expect_refused(engine, hp_cpu_answer_diff, "a=180..60&b=60&type=offcpu", -ENOENT);
	engine->result = -ENODEV;
	expect_refused(engine, hp_cpu_answer_profile, "window=60", -ENODEV);
	expect_refused(engine, hp_cpu_answer_diff, "a=180..60&b=60", -ENODEV);
}

/* The second half of a difference finds no place: the first gives its own back. */
static void test_half(void **state)
{
	struct hp_engine *engine = *state;

	fill(engine);
	assert_int_equal(hp_cpu_history_begin(engine->history, HP_CPU_READS), 0);
	for (int i = 0; i < 3; i++)
		expect_refused(engine, hp_cpu_answer_diff, "a=180..60&b=60", -EBUSY);
	expect_text(engine, hp_cpu_answer_profile, "window=60", "a;b 2\na;c 1\n");
	hp_cpu_history_end(engine->history, HP_CPU_READS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENGINE_TEST(test_formats),  ENGINE_TEST(test_diff), ENGINE_TEST(test_pprof),
		ENGINE_TEST(test_refusals), ENGINE_TEST(test_half),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
