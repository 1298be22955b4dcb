#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/clock.h"
#include "base/err.h"
#include "domains/alloc/alloc_answer.h"
#include "domains/alloc/alloc_gate.h"
#include "domains/alloc/alloc_record.h"
#include "domains/alloc/alloc_stacks.h"
#include "engine/domain.h"

static const char *name_of(void *arg, uint32_t id)
{
	return id == 'o' ? "[others]" : id == 'a' ? "inner" : id == 'b' ? "outer" : "?";
}

static void add(struct hp_alloc_stacks *stacks, uint64_t ts, uint64_t addr, uint64_t size)
{
	struct hp_alloc_event event = {.hdr = {.kind = HP_EVENT_ALLOC, .tid = 7, .ts_ns = ts},
				       .addr = addr,
				       .size = size,
				       .tgid = 7,
				       .nips = 2,
				       .ips = {0x1000, 0x2000}};

	assert_int_equal(hp_alloc_stacks_add(stacks, &event.hdr, HP_ALLOC_EVENT_MIN + 16), 0);
}

static void test_live(void **state)
{
	HP_AUTO(hp_alloc_stacks) struct hp_alloc_stacks *stacks = NULL;
	HP_AUTO(hp_alloc_gate) struct hp_alloc_gate *gate = NULL;
	const struct hp_code_frame inner = {.entity = 'a'}, outer = {.entity = 'b'};
	uint64_t now = hp_clock_mono_ns();
	struct hp_alloc_source source = {.others = 'o', .pid = 7, .process = "p", .name = name_of};
	struct hp_alloc_site_job jobs[4];
	struct hp_body body = {0};
	struct hp_err err = {0};
	cJSON *json;

	(void)state;
	assert_int_equal(hp_alloc_stacks_new(now - 2000000000, '?', &stacks), 0);
	assert_int_equal(hp_alloc_gate_new(1, 1, &gate), 0);
	source.stacks = stacks;
	source.gate = gate;
	add(stacks, now - 1500000000, 16, 100);
	add(stacks, now - 1400000000, 32, 50);
	assert_int_equal(hp_alloc_stacks_take(stacks, jobs, 4), 2);
	hp_alloc_stacks_name(stacks, jobs[0].site, &inner, 1);
	hp_alloc_stacks_name(stacks, jobs[1].site, &outer, 1);
	hp_alloc_stacks_close(stacks);
	assert_int_equal(hp_alloc_stacks_take(stacks, jobs, 4), 0);

	assert_int_equal(hp_alloc_answer_heap(&source, NULL, &body, &err), 0);
	assert_string_equal(body.data, "outer;inner 150\n");
	free(body.data);
	assert_int_equal(hp_alloc_answer_heap(&source, "format=json", &body, &err), 0);
	json = cJSON_Parse(body.data);
	assert_true(cJSON_IsObject(json));
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "stacks")), 1);
	cJSON_Delete(json);
	free(body.data);
	assert_int_equal(hp_alloc_answer_diff(&source, "a=600", &body, &err), 0);
	assert_string_equal(body.data, "outer;inner 0 150\n");
	free(body.data);
	assert_int_equal(hp_alloc_answer_pprof_heap(&source, NULL, &body, &err), 0);
	assert_true(body.len > 20);
	free(body.data);
	assert_int_equal(hp_alloc_answer_heap(&source, "what=dead", &body, &err), -EINVAL);
	assert_int_equal(hp_alloc_gate_enter(gate, HP_ALLOC_WRITES), 0);
	assert_int_equal(hp_alloc_answer_heap(&source, NULL, &body, &err), -EBUSY);
	hp_alloc_gate_leave(gate, HP_ALLOC_WRITES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_live),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
