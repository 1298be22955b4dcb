/*
 * Records of waits and of threads with any content and length (two bytes of length each): the tables stay within their bounds, names
 * can be given to whatever was let in, and the answer made from it is JSON.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "domains/offcpu/offcpu_model.h"
#include "domains/offcpu/offcpu_stacks.h"
#include "domains/offcpu/offcpu_view.h"
#include "engine/settings.h"
#include "engine/snapshot.h"
#include "format/json.h"
#include "probe/registry.h"

static void add(struct hp_offcpu_model *model, struct hp_offcpu_stacks *stacks, const uint8_t *data,
		size_t size)
{
	struct hp_event *record =
		malloc(size ? size : 1); /* of its size: a read behind it is seen */

	if (!record)
		abort();
	memcpy(record, data, size);
	if (size >= sizeof(*record)) {
		if (record->kind == HP_EVENT_OFFCPU_GONE)
			hp_offcpu_model_gone(model, record, size);
		else if (size == sizeof(struct hp_offcpu_thread))
			hp_offcpu_model_add(model, (const struct hp_offcpu_thread *)record);
		else
			hp_offcpu_stacks_add(stacks, record, size);
	}
	free(record);
}

static void name_all(struct hp_offcpu_stacks *stacks)
{
	static const uint32_t entities[HP_OFFCPU_FRAMES];
	struct hp_offcpu_job job;

	hp_offcpu_stacks_stop(stacks);
	while (hp_offcpu_stacks_next(stacks, UINT64_MAX, &job) == HP_OFFCPU_JOB) {
		assert(job.n <= HP_OFFCPU_FRAMES && job.nkernel <= job.n);
		hp_offcpu_stacks_name(stacks, &job, entities, job.nkernel, job.n % 5);
	}
}

static void check_body(struct hp_offcpu_model *model, struct hp_offcpu_stacks *stacks,
		       struct hp_registry *registry)
{
	static const struct hp_settings settings = {0};
	struct hp_snapshot *snapshot = NULL;
	struct hp_json *json = NULL;
	char *text = NULL;
	cJSON *body;

	if (hp_offcpu_snapshot_new(model, stacks, registry, 1, &snapshot) < 0 ||
	    hp_json_new(&json) < 0)
		abort();
	assert(hp_offcpu_views[0].render(snapshot, &settings, false, json) == 0);
	assert(hp_json_print(json, &text) == 0);
	body = cJSON_Parse(text);
	assert(body);
	cJSON_Delete(body);
	free(text);
	hp_json_free(json);
	hp_snapshot_free(snapshot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hp_offcpu_model *model = NULL;
	struct hp_offcpu_stacks *stacks = NULL;
	struct hp_registry *registry = NULL;

	if (hp_offcpu_model_new(&model) < 0 || hp_offcpu_stacks_new(&stacks) < 0 ||
	    hp_registry_new(&registry) < 0)
		abort();
	hp_offcpu_model_begin(model);
	while (size >= 2) {
		size_t length = data[0] | data[1] << 8;

		data += 2;
		size -= 2;
		if (length > size)
			length = size;
		add(model, stacks, data, length);
		data += length;
		size -= length;
	}
	hp_offcpu_model_end(model);
	check_body(model, stacks, registry);
	name_all(stacks);
	check_body(model, stacks, registry);
	hp_registry_free(registry);
	hp_offcpu_stacks_free(stacks);
	hp_offcpu_model_free(model);
	return 0;
}
