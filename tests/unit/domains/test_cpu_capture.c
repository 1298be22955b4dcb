/* Which slots a request gets, of the past and of what is still to come, and that it gives back what it took. */
#include "domains/cpu/cpu_capture.h"

#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "cpu_engine.h"

static const struct hp_cpu_query last_minute = {.kind = HP_CPU_ON, .span = {.from_sec = 60}};
static const struct hp_cpu_query one_second = {.kind = HP_CPU_ON, .seconds = 1};

static void test_past(void **state)
{
	struct hp_engine *engine = *state;
	HP_AUTO(hp_cpu_capture) struct hp_cpu_capture capture = {0};
	const struct hp_cpu_window *window = &capture.window;
	uint64_t now = hp_clock_mono_ns();
	struct hp_err err = {0};

	engine_push(engine, now - 90 * SEC_NS, now - 89 * SEC_NS, "a");
	engine_push(engine, now - 50 * SEC_NS, now - 49 * SEC_NS, "b");
	engine_push(engine, now - 3 * SEC_NS, now - 2 * SEC_NS, "c");
	assert_int_equal(hp_cpu_capture_init(engine, &last_minute, &capture, &err), 0);
	assert_int_equal(window->nslots, 2);
	assert_int_equal(window->start_ns, now - 50 * SEC_NS);
	assert_int_equal(window->end_ns, now - 2 * SEC_NS);
	assert_int_equal(window->kind, HP_CPU_ON);
	assert_int_equal(window->hz, 99);
	assert_int_equal(window->pid, getpid());
	assert_string_equal(window->process, "orderd");
	assert_string_equal(window->name(window->arg, 2), "b");
	assert_int_equal(engine->marks, 0);
	/* Unix time of the start: 50 s ago, give or take what this test has taken. */
	assert_true(hp_clock_wall_ms() - window->start_wall_ms >= 49999);
	assert_true(hp_clock_wall_ms() - window->start_wall_ms < 65000);
}

/* "60..20" seconds ago. */
static void test_span(void **state)
{
	struct hp_engine *engine = *state;
	HP_AUTO(hp_cpu_capture) struct hp_cpu_capture capture = {0};
	struct hp_cpu_query query = last_minute;
	uint64_t now = hp_clock_mono_ns();
	struct hp_err err = {0};

	query.span.to_sec = 20;
	query.tid = 7;
	engine_push(engine, now - 50 * SEC_NS, now - 49 * SEC_NS, "b");
	engine_push(engine, now - 3 * SEC_NS, now - 2 * SEC_NS, "c");
	assert_int_equal(hp_cpu_capture_init(engine, &query, &capture, &err), 0);
	assert_int_equal(capture.window.nslots, 1);
	assert_int_equal(capture.window.end_ns, now - 49 * SEC_NS);
	assert_int_equal(capture.window.tid, 7);
}

static void test_empty(void **state)
{
	HP_AUTO(hp_cpu_capture) struct hp_cpu_capture capture = {0};
	struct hp_err err = {0};

	assert_int_equal(hp_cpu_capture_init(*state, &last_minute, &capture, &err), 0);
	assert_int_equal(capture.window.nslots, 0);
	assert_int_equal(capture.window.start_ns, capture.window.end_ns);
	assert_true(capture.window.start_ns > 0);
}

static void cut_second(struct hp_engine *engine, uint64_t now_ns)
{
	if (engine->marked_ns)
		engine_push(engine, engine->marked_ns, now_ns, "b");
}

/* The slices are cut at both ends: nothing from before is in it. */
static void test_record(void **state)
{
	struct hp_engine *engine = *state;
	HP_AUTO(hp_cpu_capture) struct hp_cpu_capture capture = {0};
	uint64_t now = hp_clock_mono_ns();
	struct hp_err err = {0};

	engine->on_mark = cut_second;
	engine_push(engine, now - SEC_NS, now, "a");
	assert_int_equal(hp_cpu_capture_init(engine, &one_second, &capture, &err), 0);
	assert_int_equal(engine->marks, 2);
	assert_int_equal(capture.window.nslots, 1);
	assert_true(capture.window.start_ns >= now);
	assert_int_equal(capture.window.end_ns, engine->marked_ns);
	assert_true(capture.window.end_ns - capture.window.start_ns >= SEC_NS);
}

static void push_and_close(struct hp_engine *engine, uint64_t now_ns)
{
	engine_push(engine, now_ns, now_ns + 1000, "b");
	hp_cpu_history_close(engine->history);
}

/* The target ends while it is recorded: what there is, at once. */
static void test_record_ends(void **state)
{
	struct hp_engine *engine = *state;
	HP_AUTO(hp_cpu_capture) struct hp_cpu_capture capture = {0};
	struct hp_cpu_query query = one_second;
	uint64_t started = hp_clock_mono_ns();
	struct hp_err err = {0};

	query.seconds = HP_CPU_MAX_SECONDS;
	engine->on_mark = push_and_close;
	assert_int_equal(hp_cpu_capture_init(engine, &query, &capture, &err), 0);
	assert_int_equal(engine->marks, 1);
	assert_int_equal(capture.window.nslots, 1);
	assert_true(hp_clock_mono_ns() - started < 60 * SEC_NS);
}

static void test_closed(void **state)
{
	struct hp_engine *engine = *state;
	HP_AUTO(hp_cpu_capture) struct hp_cpu_capture capture = {0};
	struct hp_err err = {0};

	hp_cpu_history_close(engine->history);
	assert_int_equal(hp_cpu_capture_init(engine, &one_second, &capture, &err), -ETIMEDOUT);
	assert_int_equal(hp_cpu_capture_init(engine, &last_minute, &capture, &err), 0);
}

static void test_refusals(void **state)
{
	struct hp_engine *engine = *state;
	HP_AUTO(hp_cpu_capture) struct hp_cpu_capture capture = {0};
	struct hp_cpu_query query = last_minute;
	struct hp_err err = {0};

	for (int i = 0; i < 3; i++) { /* more than may read at once: each gives its turn back */
		query.kind = HP_CPU_OFF;
		assert_int_equal(hp_cpu_capture_init(engine, &query, &capture, &err), -ENOENT);
		assert_non_null(strstr(err.text, "offcpu"));
	}
	engine->result = -ENODEV;
	assert_int_equal(hp_cpu_capture_init(engine, &last_minute, &capture, &err), -ENODEV);
	engine->result = -ETIMEDOUT;
	assert_int_equal(hp_cpu_capture_init(engine, &last_minute, &capture, &err), -ETIMEDOUT);
	assert_null(capture.history);
}

static void test_busy(void **state)
{
	struct hp_engine *engine = *state;
	struct hp_cpu_capture captures[3] = {0};
	struct hp_err err = {0};

	for (int i = 0; i < 2; i++)
		assert_int_equal(hp_cpu_capture_init(engine, &last_minute, &captures[i], &err), 0);
	assert_int_equal(hp_cpu_capture_init(engine, &last_minute, &captures[2], &err), -EBUSY);
	assert_non_null(strstr(err.text, "written"));
	hp_cpu_capture_deinit(&captures[0]);
	assert_int_equal(hp_cpu_capture_init(engine, &last_minute, &captures[2], &err), 0);
	hp_cpu_capture_deinit(&captures[1]);
	hp_cpu_capture_deinit(&captures[2]);
	/* One records: the next one is told that the past can be read. */
	assert_int_equal(hp_cpu_history_begin(engine->history, HP_CPU_RECORDS), 0);
	assert_int_equal(hp_cpu_capture_init(engine, &one_second, &captures[0], &err), -EBUSY);
	assert_non_null(strstr(err.text, "window="));
	hp_cpu_history_end(engine->history, HP_CPU_RECORDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENGINE_TEST(test_past),        ENGINE_TEST(test_span),   ENGINE_TEST(test_empty),
		ENGINE_TEST(test_record),      ENGINE_TEST(test_closed), ENGINE_TEST(test_refusals),
		ENGINE_TEST(test_record_ends), ENGINE_TEST(test_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
