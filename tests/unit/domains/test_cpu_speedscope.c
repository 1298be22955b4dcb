/* speedscope's file: frames in range, a profile for each thread whose weights add up to its end. */
#include "domains/cpu/cpu_speedscope.h"

#include <stdlib.h>

#include <cjson/cJSON.h>

#include "cpu_slots.h"

static const cJSON *get(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	if (!item)
		fail_msg("%s is missing", key);
	return item;
}

/* Stack @i of @profile as a text, outermost first. */
static const char *stack_at(const cJSON *body, const cJSON *profile, int i, char *text)
{
	const cJSON *frames = get(get(body, "shared"), "frames"), *frame;
	size_t n = 0;

	cJSON_ArrayForEach(frame, cJSON_GetArrayItem(get(profile, "samples"), i))
	{
		assert_true(frame->valueint < cJSON_GetArraySize(frames));
		text[n++] =
			get(cJSON_GetArrayItem(frames, frame->valueint), "name")->valuestring[0];
	}
	text[n] = '\0';
	return text;
}

static void assert_profile(const cJSON *profile, const char *name, double end, int nstacks)
{
	double sum = 0;
	const cJSON *weight;

	assert_string_equal(get(profile, "type")->valuestring, "sampled");
	assert_string_equal(get(profile, "unit")->valuestring, "nanoseconds");
	assert_string_equal(get(profile, "name")->valuestring, name);
	assert_true(get(profile, "startValue")->valuedouble == 0);
	assert_true(get(profile, "endValue")->valuedouble == end);
	assert_int_equal(cJSON_GetArraySize(get(profile, "samples")), nstacks);
	assert_int_equal(cJSON_GetArraySize(get(profile, "weights")), nstacks);
	cJSON_ArrayForEach(weight, get(profile, "weights")) sum += weight->valuedouble;
	assert_true(sum == end);
}

static void test_profiles(void **state)
{
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *slot = slot_new(1);
	const struct hp_cpu_window window = window_of(&slot, 1);
	const struct hp_code_frame lined = {.entity = 'l', .file = 'F', .line = 12};
	const struct hp_cpu_sample sample = {.tid = 8, .samples = 1, .weight_ns = 100};
	HP_AUTO_FREE char *text = NULL;
	const cJSON *profiles, *frame;
	char stack[16];
	cJSON *body;

	slot_add(slot, 7, "cba");
	slot_add(slot, 7, "cba");
	slot_add(slot, 7, "ba");
	strcpy(slot->threads.data[0].name, "seven");
	assert_int_equal(hp_cpu_stacks_add(slot, &sample, &lined, 1), 0);
	assert_int_equal(hp_cpu_speedscope_text(&window, &text), 0);
	body = cJSON_Parse(text);
	assert_string_equal(get(body, "$schema")->valuestring,
			    "https://www.speedscope.app/file-format-schema.json");
	profiles = get(body, "profiles");
	assert_int_equal(cJSON_GetArraySize(profiles), 2);
	assert_profile(cJSON_GetArrayItem(profiles, 0), "thread_8 (8)", 100, 1);
	assert_profile(cJSON_GetArrayItem(profiles, 1), "seven (7)", 30, 2);
	assert_string_equal(stack_at(body, cJSON_GetArrayItem(profiles, 1), 0, stack), "abc");
	assert_string_equal(stack_at(body, cJSON_GetArrayItem(profiles, 1), 1, stack), "ab");
	assert_string_equal(stack_at(body, cJSON_GetArrayItem(profiles, 0), 0, stack), "l");
	frame = cJSON_GetArrayItem(get(get(body, "shared"), "frames"), 0);
	assert_string_equal(get(frame, "file")->valuestring, "F");
	assert_int_equal(get(frame, "line")->valueint, 12);
	cJSON_Delete(body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_profiles)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
