/* Call records of any content and length, held against a plain list of those that are calls. */
#include <errno.h>

#include "domains/functions/functions_model.h"
#include "records.h"

#define MAX_CALLS 4096

static struct hp_call_event calls[MAX_CALLS];
static size_t ncalls;

static bool is_call(const struct hp_event *record, size_t size, struct hp_call_event *ret_call)
{
	if (size < sizeof(*ret_call))
		return false;
	memcpy(ret_call, record, sizeof(*ret_call));
	return ret_call->hdr.kind == 1 && ret_call->entity >= 1 && ret_call->entity <= 16777216;
}

/*
 * The table of functions grows to the highest entity: 2^24 of them in each input would leave time
 * for little else.
 */
static void keep_low(struct hp_event *record, size_t size)
{
	struct hp_call_event *call = (void *)record;

	if (size >= sizeof(*call) && call->entity > 65536 && call->entity <= 16777216)
		call->entity %= 65536;
}

/* What the model says of @entity. */
static void check(struct hp_functions_model *model, uint32_t entity)
{
	static const double percentiles[] = {0, 50, 99.9, 100};
	struct hp_log_entry logs[HP_FUNCTION_LOGS];
	uint64_t values[4], count = 0;
	size_t n = hp_functions_model_logs(model, entity, logs, HP_FUNCTION_LOGS), at = 0;

	for (size_t i = ncalls; i-- > 0;) {
		if (calls[i].entity != entity)
			continue;
		count++;
		if (at == n)
			continue;
		assert(logs[at].ts_ns == calls[i].hdr.ts_ns && logs[at].tid == calls[i].hdr.tid);
		assert(logs[at++].value == calls[i].duration_ns);
	}
	assert(n == (count < HP_FUNCTION_LOGS ? count : HP_FUNCTION_LOGS) && at == n);
	assert(hp_functions_model_records(model, entity) == count);
	hp_functions_model_percentiles(model, entity, percentiles, 4, values);
	assert(values[0] <= values[1] && values[1] <= values[2] && values[2] <= values[3]);
	assert((values[3] > 0) == (count > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct records records = {.data = data, .left = size};
	struct hp_functions_model *model = NULL;
	struct hp_event *record;

	if (hp_functions_model_new(&model) < 0)
		abort();
	ncalls = 0;
	while (ncalls < MAX_CALLS && next_record(&records, &record, &size)) {
		struct hp_call_event call;
		int r;

		keep_low(record, size);
		r = hp_functions_model_record(model, record, size);

		if (is_call(record, size, &call)) {
			assert(r == 0);
			calls[ncalls++] = call;
		} else {
			assert(r == -EINVAL);
		}
		free(record);
	}
	for (size_t i = 0; i < ncalls && i < 16; i++)
		check(model, calls[i].entity);
	check(model, 0);
	check(model, UINT32_MAX);
	hp_functions_model_free(model);
	return 0;
}
