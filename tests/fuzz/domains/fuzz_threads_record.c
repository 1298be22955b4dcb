/*
 * Readings and exit records of threads with any content: the kind of each record's header says what
 * it is. The answer made from them is JSON, in the order of the contract, and loses no thread.
 */
#include <cjson/cJSON.h>

#include "domains/threads/threads_model.h"
#include "domains/threads/threads_view.h"
#include "engine/settings.h"
#include "engine/snapshot.h"
#include "format/json.h"
#include "records.h"

static void check_rows(const struct hp_threads_model *model)
{
	size_t n;
	const struct hp_thread_row *rows = hp_threads_model_rows(model, &n);

	for (size_t i = 1; i < n; i++) {
		assert(rows[i].percent_max <= rows[i - 1].percent_max);
		assert(rows[i].percent_max < rows[i - 1].percent_max ||
		       rows[i].last.hdr.tid >= rows[i - 1].last.hdr.tid);
	}
}

static void check_body(const struct hp_threads_model *model, bool raw)
{
	static const struct hp_settings settings = {0};
	struct hp_snapshot *snapshot = NULL;
	struct hp_json *json = NULL;
	char *text = NULL;
	cJSON *body;

	if (hp_threads_snapshot_new(model, 1, 2, NULL, &snapshot) < 0 || hp_json_new(&json) < 0)
		abort();
	assert(hp_threads_views[0].render(snapshot, &settings, raw, json) == 0);
	assert(hp_json_print(json, &text) == 0);
	body = cJSON_Parse(text);
	assert(body);
	assert(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(body, "data")) ==
	       (int)cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(body, "thread_count")));
	cJSON_Delete(body);
	free(text);
	hp_json_free(json);
	hp_snapshot_free(snapshot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct records records = {.data = data, .left = size};
	struct hp_threads_model *model = NULL;
	struct hp_event *record;
	uint64_t exited = 0, now_ns = 1;

	if (hp_threads_model_new(&model) < 0)
		abort();
	hp_threads_model_begin(model, now_ns);
	while (next_record(&records, &record, &size)) {
		if (record->kind == 2 && size >= sizeof(struct hp_thread_sample)) {
			assert(hp_threads_model_add(model, (void *)record) == 0);
		} else if (record->kind == 3) {
			hp_threads_model_end(model);
			check_rows(model);
			hp_threads_model_begin(model, ++now_ns);
		} else {
			bool gone = record->kind == 1 && size >= sizeof(struct hp_thread_sample);

			assert((hp_threads_model_record(model, record, size) == 0) == gone);
			exited += gone;
		}
		free(record);
	}
	hp_threads_model_end(model);
	check_rows(model);
	assert(hp_threads_model_totals(model).exited >= exited);
	check_body(model, false);
	check_body(model, true);
	hp_threads_model_free(model);
	return 0;
}
