/* Wire contract section 8: the body of /threads, and the section of the report. */
#include "domains/threads/threads_view.h"

#include <stdio.h>

#include "base/clock.h"
#include "body.h"
#include "domains/threads/threads_model.h"

#define SECOND 1000000000ull

static const struct hp_settings settings = {0};

static struct hp_thread_sample sample_of(uint32_t tid, char letter, const char *comm)
{
	struct hp_thread_sample sample = {
		.hdr = {.tid = tid, .ts_ns = 20 * SECOND},
		.start_ns = 10 * SECOND,
		.cpu_ns = 4 * SECOND,
		.utime = 30,
		.stime = 10,
		.runq_wait_ns = SECOND,
		.voluntary_switches = 12,
		.involuntary_switches = 3,
		.state = (__u8)letter,
	};

	memcpy(sample.comm, comm, strnlen(comm, sizeof(sample.comm)));
	return sample;
}

/* The body of a reading of @n threads, after an earlier one of the same if @twice. */
static cJSON *body_after(const struct hp_thread_sample *samples, size_t n, bool twice, bool raw,
			 const struct hp_settings *with)
{
	HP_AUTO(hp_threads_model) struct hp_threads_model *model = NULL;
	HP_AUTO(hp_snapshot) struct hp_snapshot *snapshot = NULL;
	uint64_t start = hp_clock_mono_ns() - 2 * SECOND;

	assert_int_equal(hp_threads_model_new(&model), 0);
	for (int round = twice ? 0 : 1; round < 2; round++) {
		hp_threads_model_begin(model, start + (uint64_t)round);
		for (size_t i = 0; i < n; i++) {
			struct hp_thread_sample sample = samples[i];

			if (round == 0) {
				sample.hdr.ts_ns -= SECOND;
				sample.cpu_ns -= SECOND / 4;
			}
			assert_int_equal(hp_threads_model_add(model, &sample), 0);
		}
		hp_threads_model_end(model);
	}
	assert_int_equal(hp_threads_snapshot_new(model, 1536, 2048, NULL, &snapshot), 0);
	return body_of(&hp_threads_views[0], snapshot, with, raw);
}

static void test_entry(void **state)
{
	const struct hp_thread_sample sample = sample_of(77, 'S', "worker-1");
	cJSON *body = body_after(&sample, 1, true, false, &settings);
	const cJSON *row = entry(body, "data", 0);

	assert_number(row, "os_tid", 77);
	assert_text(row, "name", "worker-1");
	assert_text(row, "status", "Sleeping");
	assert_text(row, "status_code", "S");
	assert_text(row, "cpu_percent", "25.0%");
	assert_text(row, "cpu_percent_max", "25.0%");
	assert_text(row, "cpu_percent_avg", "25.0%");
	assert_number(row, "cpu_ns", 4e9);
	assert_number(row, "user_ns", 3e9); /* 30 of 40 ticks */
	assert_number(row, "system_ns", 1e9);
	assert_number(row, "runq_wait_ns", 1e9);
	assert_number(row, "blocked_ns", 5e9); /* of 10 s: 4 on a CPU, 1 waiting for one */
	assert_number(row, "voluntary_switches", 12);
	assert_number(row, "involuntary_switches", 3);
	assert_null(member(row, "cpu_percent_percent"));
	cJSON_Delete(body);
}

static void test_list(void **state)
{
	const struct hp_thread_sample samples[] = {sample_of(3, 'R', "a"), sample_of(2, 'R', "b"),
						   sample_of(1, 'R', "c")};
	const struct hp_settings limited = {.limit = 2};
	cJSON *body = body_after(samples, 3, false, false, &settings);

	assert_number(body, "sample_interval_ms", 250);
	assert_number(body, "thread_count", 3);
	assert_text(body, "rss_bytes", "1.5 KB");
	assert_text(body, "rss_bytes_max", "2.0 KB");
	assert_number(body, "total_count", 3);
	assert_number(body, "included_count", 3);
	assert_number(body, "exited_threads", 0);
	assert_number(body, "exited_cpu_ns", 0);
	/* From the first reading, two seconds ago. */
	assert_true(number_of(body, "current_elapsed_ns") >= 2e9);
	assert_true(number_of(body, "current_elapsed_ns") < 60e9);
	assert_int_equal(length(body, "data"), 3);
	/* No shares yet, so by tid. */
	assert_number(entry(body, "data", 0), "os_tid", 1);
	assert_number(entry(body, "data", 2), "os_tid", 3);
	assert_true(cJSON_IsNull(member(entry(body, "data", 0), "cpu_percent")));
	assert_true(cJSON_IsNull(member(entry(body, "data", 0), "cpu_percent_max")));
	assert_true(cJSON_IsNull(member(entry(body, "data", 0), "cpu_percent_avg")));
	cJSON_Delete(body);

	body = body_after(samples, 3, false, false, &limited);
	assert_int_equal(length(body, "data"), 2);
	assert_number(body, "thread_count", 3);
	assert_number(body, "total_count", 3);
	assert_number(body, "included_count", 2);
	cJSON_Delete(body);
}

static void test_before_the_first_reading(void **state)
{
	HP_AUTO(hp_threads_model) struct hp_threads_model *model = NULL;
	HP_AUTO(hp_snapshot) struct hp_snapshot *snapshot = NULL;
	cJSON *body;

	assert_int_equal(hp_threads_model_new(&model), 0);
	assert_int_equal(hp_threads_snapshot_new(model, 0, 0, NULL, &snapshot), 0);
	body = body_of(&hp_threads_views[0], snapshot, &settings, false);
	assert_number(body, "current_elapsed_ns", 0);
	assert_number(body, "thread_count", 0);
	assert_int_equal(length(body, "data"), 0);
	cJSON_Delete(body);
}

/* Section 15: every text has a number beside it. */
static void test_raw(void **state)
{
	const struct hp_thread_sample sample = sample_of(77, 'R', "w");
	cJSON *body = body_after(&sample, 1, true, true, &settings);
	const cJSON *row = entry(body, "data", 0);

	assert_number(body, "rss_bytes_bytes", 1536);
	assert_number(body, "rss_bytes_max_bytes", 2048);
	assert_number(row, "cpu_percent_percent", 25);
	assert_number(row, "cpu_percent_max_percent", 25);
	assert_number(row, "cpu_percent_avg_percent", 25);
	cJSON_Delete(body);
}

static void test_states(void **state)
{
	static const struct {
		char letter;
		const char *status;
	} states[] = {
		{'R', "Running "}, {'S', "Sleeping"}, {'D', "Blocked"},    {'Z', "Zombie"},
		{'T', "Stopped"},  {'t', "Stopped"},  {'X', "Dead"},       {'x', "Dead"},
		{'K', "Wakekill"}, {'W', "Waking"},   {'P', "Parked"},     {'I', "Idle"},
		{'?', "Unknown"},  {'r', "Unknown"},  {'\x01', "Unknown"},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(states); i++) {
		const struct hp_thread_sample sample = sample_of(1, states[i].letter, "w");
		const char code[2] = {states[i].letter, '\0'};
		cJSON *body = body_after(&sample, 1, false, false, &settings);

		assert_text(entry(body, "data", 0), "status", states[i].status);
		assert_text(entry(body, "data", 0), "status_code", code);
		cJSON_Delete(body);
	}
}

static void test_names(void **state)
{
	static const struct {
		const char *comm, *name;
	} names[] = {
		{"0123456789abcdef", "0123456789abcdef"}, /* no NUL in sixteen bytes */
		{"a b", "a b"},
		{" padded\t \n", "padded"},
		{"   ", ""},
		{"", ""},
		{"quo\"te\\", "quo\"te\\"},
		{"caf\xc3\xa9", "caf\xc3\xa9"},
		{"bad\xff", "bad\xef\xbf\xbd"},
		/* Cut by the kernel in the middle of a character. */
		{"123456789012345\xc3\xa9", "123456789012345\xef\xbf\xbd"},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(names); i++) {
		const struct hp_thread_sample sample = sample_of(1, 'S', names[i].comm);
		cJSON *body = body_after(&sample, 1, false, false, &settings);

		assert_text(entry(body, "data", 0), "name", names[i].name);
		cJSON_Delete(body);
	}
}

/* The split never loses or gains time, also where a double cannot hold it. */
static void test_user_and_system(void **state)
{
	static const uint64_t max = UINT64_MAX;
	const struct {
		uint64_t cpu, utime, stime, user;
	} splits[] = {
		{100, 0, 0, 100},   {100, 1, 0, 100},
		{100, 0, 1, 0},     {100, 1, 2, 33},
		{0, 5, 5, 0},       {(1ull << 53) + 1, 1, 0, (1ull << 53) + 1},
		{max, max, 0, max}, {max, max, max, max / 2},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(splits); i++) {
		struct hp_thread_sample sample = sample_of(1, 'S', "w");
		cJSON *body;
		const cJSON *row;

		sample.cpu_ns = splits[i].cpu;
		sample.utime = splits[i].utime;
		sample.stime = splits[i].stime;
		body = body_after(&sample, 1, false, false, &settings);
		row = entry(body, "data", 0);
		assert_number(row, "user_ns", (double)splits[i].user);
		assert_number(row, "system_ns", (double)(splits[i].cpu - splits[i].user));
		cJSON_Delete(body);
	}
}

static void test_print(void **state)
{
	HP_AUTO(hp_threads_model) struct hp_threads_model *model = NULL;
	HP_AUTO(hp_snapshot) struct hp_snapshot *snapshot = NULL;
	HP_AUTO_FREE char *text = NULL;
	struct hp_thread_sample sample = sample_of(4711, 'S', "worker-1");
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(hp_threads_model_new(&model), 0);
	hp_threads_model_begin(model, 1);
	assert_int_equal(hp_threads_model_add(model, &sample), 0);
	hp_threads_model_end(model);
	assert_int_equal(hp_threads_snapshot_new(model, 1536, 2048, NULL, &snapshot), 0);
	assert_int_equal(hp_threads_print(snapshot, &settings, out, 80, false), 0);
	fclose(out);
	assert_non_null(strstr(text, "worker-1"));
	assert_non_null(strstr(text, "4711"));
	assert_non_null(strstr(text, "4.00 s"));
	assert_non_null(strstr(text, "1.00 s"));
	assert_non_null(strstr(text, "RSS 2.0 KB"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_before_the_first_reading),
		cmocka_unit_test(test_raw),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_user_and_system),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
