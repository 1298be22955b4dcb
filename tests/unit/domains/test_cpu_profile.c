/*
 * The file for profiler.firefox.com: the rules of its processed profile format (columns of one
 * length, indices in range, callers before callees, samples by time), and every stack read back as
 * it was given.
 */
#include "domains/cpu/cpu_profile.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <zlib.h>

#include "cpu_slots.h"

#define PID 100

struct given {
	uint32_t tid;
	uint64_t ts_ns;
	const char *stack; /* innermost first */
};

static void add(struct hp_cpu_stacks *slot, const struct given *given)
{
	const struct hp_cpu_sample sample = {
		.kind = HP_CPU_ON,
		.tid = given->tid,
		.ts_ns = given->ts_ns,
		.samples = 1,
		.weight_ns = 10,
	};

	slot_add_as(slot, &sample, given->stack);
	snprintf(slot->threads.data[slot->threads.len - 1].name, sizeof(slot->threads.data->name),
		 "worker \"%u\"", slot->threads.data[slot->threads.len - 1].tid);
}

static cJSON *parse(const struct hp_cpu_window *window)
{
	HP_AUTO_FREE char *text = NULL;
	cJSON *profile;

	assert_int_equal(hp_cpu_profile_text(window, &text), 0);
	profile = cJSON_Parse(text);
	assert_true(cJSON_IsObject(profile));
	return profile;
}

/* The profile of @samples, two in each slot. */
static cJSON *profile_of(const struct given *samples, size_t n)
{
	struct hp_cpu_stacks *slots[16] = {NULL};
	struct hp_cpu_window window;
	size_t nslots = (n + 1) / 2;
	cJSON *profile;

	assert_true(nslots <= HP_ARRAY_SIZE(slots));
	for (size_t i = 0; i < n; i++) {
		if (!slots[i / 2])
			slots[i / 2] = slot_new(0);
		add(slots[i / 2], &samples[i]);
	}
	window = window_of(slots, nslots);
	window.start_ns = 5000000;
	window.hz = 80;
	profile = parse(&window);
	for (size_t i = 0; i < nslots; i++)
		hp_cpu_stacks_free(slots[i]);
	return profile;
}

static const cJSON *get(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	if (!item)
		fail_msg("%s is missing", key);
	return item;
}

static int at(const cJSON *table, const char *column, int i)
{
	const cJSON *item = cJSON_GetArrayItem(get(table, column), i);

	return cJSON_IsNumber(item) ? item->valueint : -1;
}

static int rows_of(const cJSON *thread, const char *name)
{
	const cJSON *table = get(thread, name), *column;
	int length = get(table, "length")->valueint;

	cJSON_ArrayForEach(column, table)
	{
		if (cJSON_IsArray(column))
			assert_int_equal(cJSON_GetArraySize(column), length);
	}
	return length;
}

/* Every value of @column is an index below @end; null only if @nullable. */
static void assert_indices(const cJSON *table, const char *column, int end, bool nullable)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, get(table, column))
	{
		if (nullable && cJSON_IsNull(item))
			continue;
		assert_true(cJSON_IsNumber(item));
		assert_true(item->valueint >= 0 && item->valueint < end);
	}
}

static void assert_thread(const cJSON *thread, int ncategories)
{
	int nstacks = rows_of(thread, "stackTable"), nframes = rows_of(thread, "frameTable");
	int nfuncs = rows_of(thread, "funcTable"), nsamples = rows_of(thread, "samples");
	const cJSON *samples = get(thread, "samples"), *time;
	double last = -1e300;

	assert_indices(get(thread, "stackTable"), "frame", nframes, false);
	assert_indices(get(thread, "stackTable"), "category", ncategories, false);
	assert_indices(get(thread, "frameTable"), "func", nfuncs, false);
	assert_indices(get(thread, "frameTable"), "category", ncategories, false);
	assert_indices(get(thread, "funcTable"), "name",
		       cJSON_GetArraySize(get(thread, "stringArray")), false);
	assert_indices(samples, "stack", nstacks, true);
	for (int i = 0; i < nstacks; i++)
		assert_true(at(get(thread, "stackTable"), "prefix", i) < i);
	cJSON_ArrayForEach(time, get(samples, "time"))
	{
		assert_true(time->valuedouble >= last);
		last = time->valuedouble;
	}
	for (int i = 0; i < nsamples; i++)
		assert_int_equal(at(samples, "weight", i), 1);
	assert_string_equal(get(samples, "weightType")->valuestring, "samples");
	assert_int_equal(rows_of(thread, "markers"), 0);
	assert_int_equal(rows_of(thread, "resourceTable"), 0);
	assert_int_equal(rows_of(thread, "nativeSymbols"), 0);
}

static const cJSON *thread_of(const cJSON *profile, uint32_t tid)
{
	const cJSON *thread;

	cJSON_ArrayForEach(thread, get(profile, "threads"))
	{
		if (get(thread, "tid")->valueint == (int)tid)
			return thread;
	}
	fail_msg("no thread %u", tid);
	return NULL;
}

/* Sample @i of @thread: time and stack are those of @sample. */
static void assert_sample(const cJSON *thread, int i, const struct given *sample)
{
	const cJSON *samples = get(thread, "samples"), *stacks = get(thread, "stackTable");
	double ms = cJSON_GetArrayItem(get(samples, "time"), i)->valuedouble;
	int stack = at(samples, "stack", i);
	char text[64] = "";
	size_t len = 0;

	assert_true(ms > ((double)sample->ts_ns - 5e6) / 1e6 - 1e-6 &&
		    ms < ((double)sample->ts_ns - 5e6) / 1e6 + 1e-6);
	for (; stack >= 0 && len < sizeof(text) - 1; stack = at(stacks, "prefix", stack)) {
		int func = at(get(thread, "frameTable"), "func", at(stacks, "frame", stack));
		int name = at(get(thread, "funcTable"), "name", func);

		text[len++] = cJSON_GetArrayItem(get(thread, "stringArray"), name)->valuestring[0];
	}
	assert_string_equal(text, sample->stack);
}

static void test_stacks_come_back(void **state)
{
	static const struct given samples[] = {
		{PID, 6000000, "cba"},  {PID, 7000000, "dba"}, {101, 7500000, "a"},
		{PID, 8000000, "aaba"}, {101, 8500000, "cba"}, {PID, 9000000, ""},
		{PID, 9500000, "cba"},  {102, 4000000, "zb"},
	};
	cJSON *profile = profile_of(samples, HP_ARRAY_SIZE(samples));
	const cJSON *thread;
	int seen[3] = {0};

	assert_int_equal(cJSON_GetArraySize(get(profile, "threads")), 3);
	cJSON_ArrayForEach(thread, get(profile, "threads"))
	{
		assert_thread(thread, cJSON_GetArraySize(get(get(profile, "meta"), "categories")));
	}
	for (size_t i = 0; i < HP_ARRAY_SIZE(samples); i++)
		assert_sample(thread_of(profile, samples[i].tid), seen[samples[i].tid - PID]++,
			      &samples[i]);
	thread = thread_of(profile, PID);
	/* Equal stacks share their nodes: a, ba, cba, dba; aba, aaba. */
	assert_int_equal(rows_of(thread, "stackTable"), 6);
	assert_int_equal(rows_of(thread, "frameTable"), 4);
	assert_int_equal(rows_of(thread, "samples"), 5);
	cJSON_Delete(profile);
}

/* Each CPU has a ring, and the rings are read one after the other. */
static void test_samples_by_time(void **state)
{
	static const struct given samples[] = {
		{PID, 9000000, "c"}, {PID, 9500000, "d"},  {PID, 6000000, "a"},
		{PID, 9200000, "b"}, {PID, 12000000, "f"}, {PID, 11000000, "e"},
	};
	static const int order[] = {2, 0, 3, 1, 5, 4};
	cJSON *profile = profile_of(samples, HP_ARRAY_SIZE(samples));
	const cJSON *thread = thread_of(profile, PID);

	assert_thread(thread, 1);
	for (int i = 0; i < 6; i++)
		assert_sample(thread, i, &samples[order[i]]);
	cJSON_Delete(profile);
}

static void test_meta_and_threads(void **state)
{
	static const struct given samples[] = {{PID, 1000, "a"}, {101, 2000, "b"}};
	cJSON *profile = profile_of(samples, 2);
	const cJSON *meta = get(profile, "meta"), *thread = thread_of(profile, 101);

	assert_int_equal(get(meta, "preprocessedProfileVersion")->valueint, 47);
	assert_true(get(meta, "interval")->valuedouble == 12.5);
	assert_true(get(meta, "startTime")->valuedouble == 1700000000123.0);
	assert_string_equal(get(meta, "product")->valuestring, "orderd");
	assert_true(cJSON_IsTrue(get(meta, "symbolicated")));
	assert_true(cJSON_IsArray(get(profile, "libs")));
	assert_string_equal(get(thread, "name")->valuestring, "worker \"101\"");
	assert_string_equal(get(thread, "pid")->valuestring, "100");
	assert_true(cJSON_IsFalse(get(thread, "isMainThread")));
	assert_true(cJSON_IsTrue(get(thread_of(profile, PID), "isMainThread")));
	cJSON_Delete(profile);
}

/* Slots that were merged have no times: their samples stand together at the slot's start. */
static void test_without_times(void **state)
{
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *slot = slot_new(7000000);
	struct hp_cpu_window window;
	const cJSON *samples;
	cJSON *profile;

	slot_add(slot, PID, "ba");
	slot_add(slot, PID, "ba");
	slot_add(slot, PID, "ca");
	slot_add(slot, 101, "a");
	window = window_of(&slot, 1);
	window.start_ns = 5000000;
	window.tid = PID;
	profile = parse(&window);
	assert_int_equal(cJSON_GetArraySize(get(profile, "threads")), 1);
	samples = get(thread_of(profile, PID), "samples");
	assert_int_equal(cJSON_GetArraySize(get(samples, "weight")), 2);
	assert_int_equal(at(samples, "weight", 0), 2);
	assert_int_equal(at(samples, "weight", 1), 1);
	assert_int_equal(at(samples, "time", 0), 2);
	assert_int_equal(at(samples, "time", 1), 2);
	cJSON_Delete(profile);
}

/* Blocked time is told in milliseconds. */
static void test_blocked(void **state)
{
	const struct hp_cpu_sample blocked = {
		.kind = HP_CPU_OFF, .tid = PID, .samples = 3, .weight_ns = 4000000};
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *slot = slot_new(7000000);
	struct hp_cpu_window window;
	const cJSON *samples;
	cJSON *profile;

	slot_add(slot, PID, "ba");
	slot_add_as(slot, &blocked, "ca");
	window = window_of(&slot, 1);
	window.kind = HP_CPU_OFF;
	profile = parse(&window);
	samples = get(thread_of(profile, PID), "samples");
	assert_string_equal(get(samples, "weightType")->valuestring, "tracing-ms");
	assert_int_equal(cJSON_GetArraySize(get(samples, "weight")), 1);
	assert_int_equal(at(samples, "weight", 0), 4);
	cJSON_Delete(profile);
}

static void test_nothing(void **state)
{
	cJSON *profile = profile_of(NULL, 0);

	assert_int_equal(cJSON_GetArraySize(get(profile, "threads")), 0);
	assert_true(cJSON_IsObject(get(profile, "meta")));
	cJSON_Delete(profile);
}

static void test_write(void **state)
{
	char dir[] = "/tmp/hp_profile_XXXXXX", path[64], other[64], back[64] = "", name[200];
	static const char *const texts[] = {"{\"first\":1}", "{\"second\":22}"};
	struct stat st;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/profile.json.gz", dir);
	snprintf(other, sizeof(other), "%s/profile.json.gz.new", dir);
	for (size_t i = 0; i < 2; i++) {
		gzFile file;

		assert_int_equal(hp_cpu_profile_write(texts[i], path), 0);
		file = gzopen(path, "rb");
		assert_non_null(file);
		memset(back, 0, sizeof(back));
		assert_int_equal(gzread(file, back, sizeof(back) - 1), strlen(texts[i]));
		assert_int_equal(gzdirect(file), 0); /* it is compressed */
		gzclose(file);
		assert_string_equal(back, texts[i]);
		assert_int_equal(stat(other, &st), -1); /* renamed */
	}
	unlink(path);
	rmdir(dir);
	assert_int_equal(hp_cpu_profile_write("{}", path), -ENOENT);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(hp_cpu_profile_write("{}", name), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stacks_come_back),
		cmocka_unit_test(test_samples_by_time),
		cmocka_unit_test(test_meta_and_threads),
		cmocka_unit_test(test_without_times),
		cmocka_unit_test(test_blocked),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
