/* Wire contract section 7: the bodies of /functions_cpu and of the POST. */
#include "domains/cpu/cpu_view.h"

#include <stdio.h>

#include "body.h"
#include "domains/cpu/cpu_report.h"

#define SECOND 1000000000ull

static const struct hp_settings settings = {.cpu_hz = 99};

static const char *name_of(void *arg, uint32_t entity)
{
	static const char *const names[] = {"", "hot", "warm \"\xff\"", "[unknown]"};

	return names[entity];
}

/* 1: 6 samples, 2: 3, 3 (unknown): 3, of 13; one has no stack. */
static struct hp_cpu_report *report_new(bool inclusive)
{
	const struct hp_cpu_sample sample = {.kind = HP_CPU_ON, .tid = 1, .samples = 1};
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *slot = NULL;
	struct hp_cpu_report *report = NULL;

	assert_int_equal(hp_cpu_stacks_new(10 * SECOND, 9, &slot), 0);
	for (uint32_t i = 0; i < 12; i++) {
		const struct hp_code_frame frame = {.entity = i < 6   ? 1
							      : i < 9 ? 2
								      : 3,
						    .known = i < 9};

		assert_int_equal(hp_cpu_stacks_add(slot, &sample, &frame, 1), 0);
	}
	assert_int_equal(hp_cpu_stacks_add(slot, &sample, NULL, 0), 0);
	hp_cpu_stacks_seal(slot, 40 * SECOND);
	assert_int_equal(hp_cpu_report_build(&slot, 1, inclusive, name_of, NULL, &report), 0);
	report->captured_at_ms = 1700000000123;
	report->capture_duration_ms = 17;
	snprintf(report->profile_path, sizeof(report->profile_path),
		 "/run/hotpathd/1-2/profile.json.gz");
	return report;
}

static cJSON *render(const struct hp_cpu_state *with, const struct hp_settings *config, bool raw,
		     unsigned kind)
{
	struct hp_cpu_state cpu = *with;
	HP_AUTO(hp_snapshot) struct hp_snapshot *snapshot = NULL;

	cpu.session = "1-2";
	cpu.dir = "/run/hotpathd/1-2";
	assert_int_equal(hp_cpu_snapshot_new(&cpu, &snapshot), 0);
	return body_of(&hp_cpu_views[kind], snapshot, config, raw);
}

static void test_report(void **state)
{
	HP_AUTO(hp_cpu_report) struct hp_cpu_report *report = report_new(false);
	const struct hp_cpu_state cpu = {.report = report, .post_status = 200};
	cJSON *body = render(&cpu, &settings, false, HP_CPU_LIST);
	const cJSON *part = member(body, "report");

	assert_text(body, "status", "ready");
	assert_number(body, "captured_at_ms", 1700000000123.0);
	assert_number(body, "capture_duration_ms", 17);
	assert_null(member(body, "error"));
	assert_text(body, "current_session_id", "1-2");
	assert_text(body, "current_session_path", "/run/hotpathd/1-2");
	assert_text(part, "time_elapsed", "30.00 s");
	assert_number(part, "total_elapsed_ns", 30e9);
	assert_number(part, "total_samples", 13);
	assert_number(part, "attributed_samples", 9);
	assert_text(part, "description", "CPU sampling attribution per function (exclusive).");
	assert_text(part, "caller_name", "snapshot");
	assert_text(part, "profile_path", "/run/hotpathd/1-2/profile.json.gz");
	assert_number(part, "total_count", 3);
	assert_number(part, "included_count", 3);
	assert_number(part, "sample_hz", 99);
	assert_int_equal(length(part, "data"), 3);
	assert_number(entry(part, "data", 0), "id", 1);
	assert_text(entry(part, "data", 0), "name", "hot");
	assert_number(entry(part, "data", 0), "samples", 6);
	assert_text(entry(part, "data", 0), "percent", "46.15%"); /* 6 of 13 */
	assert_text(entry(part, "data", 1), "name", "[unknown]"); /* by name */
	assert_text(entry(part, "data", 1), "percent", "23.08%");
	assert_text(entry(part, "data", 2), "name", "warm \"\xef\xbf\xbd\"");
	assert_null(member(entry(part, "data", 0), "percent_percent"));
	cJSON_Delete(body);
}

static void test_inclusive_raw_and_limit(void **state)
{
	HP_AUTO(hp_cpu_report) struct hp_cpu_report *report = report_new(true);
	const struct hp_cpu_state cpu = {.report = report, .post_status = 200};
	const struct hp_settings limited = {.cpu_hz = 99, .limit = 1};
	cJSON *body = render(&cpu, &limited, true, HP_CPU_LIST);
	const cJSON *part = member(body, "report");

	assert_text(part, "description", "CPU sampling attribution per function (inclusive).");
	assert_int_equal(length(part, "data"), 1);
	assert_number(part, "total_count", 3);
	assert_number(part, "included_count", 1);
	assert_number(entry(part, "data", 0), "percent_percent", 6.0 / 13.0 * 100.0);
	cJSON_Delete(body);
}

/* The last good report stays while a new one is made, and after a failure. */
static void test_status(void **state)
{
	HP_AUTO(hp_cpu_report) struct hp_cpu_report *report = report_new(false);
	const struct {
		struct hp_cpu_state cpu;
		const char *status, *error;
	} cases[] = {
		{{.report = NULL}, "idle", NULL},
		{{.report = NULL, .error = ""}, "idle", NULL},
		{{.report = report}, "ready", NULL},
		{{.report = NULL, .capturing = true}, "capturing", NULL},
		{{.report = report, .capturing = true}, "capturing", NULL},
		{{.report = report, .capturing = true, .error = "old"}, "capturing", NULL},
		{{.report = report, .error = "out of memory"}, "error", "out of memory"},
		{{.report = NULL, .error = "out of memory"}, "error", "out of memory"},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(cases); i++) {
		cJSON *body = render(&cases[i].cpu, &settings, false, HP_CPU_LIST);

		assert_text(body, "status", cases[i].status);
		if (cases[i].error)
			assert_text(body, "error", cases[i].error);
		else
			assert_null(member(body, "error"));
		assert_int_equal(cJSON_IsObject(member(body, "report")),
				 cases[i].cpu.report != NULL);
		assert_int_equal(member(body, "captured_at_ms") != NULL,
				 cases[i].cpu.report != NULL);
		cJSON_Delete(body);
	}
}

/* The snapshot keeps the report that it was made with. */
static void test_snapshot_owns(void **state)
{
	struct hp_cpu_report *report = report_new(false);
	const struct hp_cpu_state cpu = {.report = report, .session = "s", .dir = ""};
	HP_AUTO(hp_snapshot) struct hp_snapshot *snapshot = NULL;
	cJSON *body;

	assert_int_equal(hp_cpu_snapshot_new(&cpu, &snapshot), 0);
	hp_cpu_report_free(report);
	body = body_of(&hp_cpu_views[HP_CPU_LIST], snapshot, &settings, false);
	assert_number(member(body, "report"), "total_samples", 13);
	assert_null(member(body, "current_session_path")); /* there is none */
	cJSON_Delete(body);
}

static void test_post(void **state)
{
	static const struct {
		int status;
		const char *key, *text;
	} answers[] = {
		{202, "status", "capturing"},
		{405, "error", "Method not allowed - use POST"},
		{409, "error", "Snapshot already in progress"},
	};

	assert_string_equal(hp_cpu_views[HP_CPU_SNAPSHOT].path, "/functions_cpu/snapshot");
	for (size_t i = 0; i < HP_ARRAY_SIZE(answers); i++) {
		const struct hp_cpu_state cpu = {.post_status = answers[i].status};
		cJSON *body = render(&cpu, &settings, false, HP_CPU_SNAPSHOT);

		assert_int_equal(cJSON_GetArraySize(body), 1);
		assert_text(body, answers[i].key, answers[i].text);
		cJSON_Delete(body);
	}
}

static char *printed(const struct hp_cpu_state *cpu)
{
	HP_AUTO(hp_snapshot) struct hp_snapshot *snapshot = NULL;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(hp_cpu_snapshot_new(cpu, &snapshot), 0);
	assert_int_equal(hp_cpu_print(snapshot, &settings, out, 100, false), 0);
	fclose(out);
	return text;
}

static void test_print(void **state)
{
	HP_AUTO(hp_cpu_report) struct hp_cpu_report *report = report_new(false);
	struct hp_cpu_state cpu = {.report = report, .session = "s", .dir = ""};
	HP_AUTO_FREE char *text = printed(&cpu);
	HP_AUTO_FREE char *none = NULL;

	assert_non_null(strstr(text, "exclusive, 13 samples at 99 Hz in the last 30.00 s"));
	assert_non_null(strstr(text, "46.15%"));
	assert_true(strstr(text, "hot") < strstr(text, "[unknown]"));
	cpu.report = NULL;
	none = printed(&cpu);
	assert_string_equal(none, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report), cmocka_unit_test(test_inclusive_raw_and_limit),
		cmocka_unit_test(test_status), cmocka_unit_test(test_snapshot_owns),
		cmocka_unit_test(test_post),   cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
