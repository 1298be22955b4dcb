/* Events as the format's document has them; what cannot be in JSON is made so that it can. */
#include "format/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

static const struct hp_trace_track one = {.pid = 10, .tid = 11}, two = {.pid = 10, .tid = 12};

static char *finished(struct hp_trace *trace)
{
	char *text = NULL;
	size_t len = 0;

	assert_int_equal(hp_trace_finish(trace, "{\"lost\":3}", &text, &len), 0);
	assert_int_equal(strlen(text), len);
	return text;
}

static void test_text(void **state)
{
	HP_AUTO(hp_trace) struct hp_trace *trace = NULL;
	HP_AUTO_FREE char *text = NULL;

	assert_int_equal(hp_trace_new(&trace), 0);
	hp_trace_process(trace, 10, "prog");
	hp_trace_thread(trace, one, "main", 4);
	hp_trace_slice_begin(trace, one, "running", "state", 1234567, 1);
	hp_trace_slice_end(trace);
	hp_trace_slice_begin(trace, two, "f", "call", 0, 18446744073709551615ull);
	hp_trace_arg_u64(trace, "cpu", 18446744073709551615ull);
	hp_trace_arg_str(trace, "by", "x");
	hp_trace_slice_end(trace);
	hp_trace_flow(trace, 7, "wakes", one, 1000, two, 2000);
	assert_int_equal(hp_trace_events(trace), 7);
	text = finished(trace);
	assert_string_equal(
		text,
		"{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n"
		"{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":10,\"args\":{\"name\":\"prog\"}},\n"
		"{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":10,\"tid\":11,\"args\":{\"name\":\"main\"}},\n"
		"{\"ph\":\"M\",\"name\":\"thread_sort_index\",\"pid\":10,\"tid\":11,\"args\":{\"sort_index\":4}},\n"
		"{\"ph\":\"X\",\"name\":\"running\",\"cat\":\"state\",\"pid\":10,\"tid\":11,\"ts\":1234.567,\"dur\":0.001},\n"
		"{\"ph\":\"X\",\"name\":\"f\",\"cat\":\"call\",\"pid\":10,\"tid\":12,\"ts\":0.000,"
		"\"dur\":18446744073709551.615,\"args\":{\"cpu\":18446744073709551615,\"by\":\"x\"}},\n"
		"{\"ph\":\"s\",\"name\":\"wakes\",\"cat\":\"flow\",\"id\":7,\"pid\":10,\"tid\":11,\"ts\":1.000},\n"
		"{\"ph\":\"f\",\"name\":\"wakes\",\"cat\":\"flow\",\"id\":7,\"pid\":10,\"tid\":12,\"ts\":2.000,\"bp\":\"e\"}\n"
		"],\"otherData\":{\"lost\":3}}\n");
}

static void test_foreign_texts(void **state)
{
	HP_AUTO(hp_trace) struct hp_trace *trace = NULL;
	HP_AUTO_FREE char *text = NULL;
	const cJSON *event, *args;
	cJSON *root;

	assert_int_equal(hp_trace_new(&trace), 0);
	hp_trace_slice_begin(trace, one, "a\"b\\c\n\x01\xff\xc3\xa9", "call", 5, 6);
	hp_trace_arg_str(trace, "s", "\xc3");
	hp_trace_slice_end(trace);
	text = finished(trace);
	root = cJSON_Parse(text);
	assert_non_null(root);
	event = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "traceEvents"), 0);
	assert_string_equal(cJSON_GetObjectItem(event, "name")->valuestring,
			    "a\"b\\c\n\x01\xef\xbf\xbd\xc3\xa9");
	args = cJSON_GetObjectItem(event, "args");
	assert_string_equal(cJSON_GetObjectItem(args, "s")->valuestring, "\xef\xbf\xbd");
	cJSON_Delete(root);
}

static void test_nothing(void **state)
{
	HP_AUTO(hp_trace) struct hp_trace *trace = NULL;
	HP_AUTO_FREE char *text = NULL;

	assert_int_equal(hp_trace_new(&trace), 0);
	text = finished(trace);
	assert_string_equal(
		text,
		"{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n],\"otherData\":{\"lost\":3}}\n");
	hp_trace_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_foreign_texts),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
