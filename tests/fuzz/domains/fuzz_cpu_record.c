/*
 * Sample records of any content and length: those that are as long as they say come back unchanged
 * and in order, and a report and a profile can be made from whatever addresses they hold.
 */
#include <errno.h>

#include <cjson/cJSON.h>

#include "domains/cpu/cpu_profile.h"
#include "domains/cpu/cpu_raw.h"
#include "domains/cpu/cpu_report.h"
#include "records.h"

#define MAX_RECORDS 64

struct kept {
	struct hp_event *record;
	size_t size;
};

static bool is_sample(const struct hp_event *record, size_t size)
{
	uint8_t counts
		[3]; /* and why the stack ends, one of seven reasons, with the mark of guesses */

	if (size < 24 || record->kind != 1)
		return false;
	memcpy(counts, (const char *)record + 16, sizeof(counts));
	return counts[0] <= 32 && counts[1] <= 127 && (counts[2] & 0x7f) < 7 &&
	       size == 24 + 8u * (counts[0] + counts[1]);
}

static const char *name_of(void *arg, uint32_t entity)
{
	static char names[8][16];

	snprintf(names[entity % 8], sizeof(names[0]), "f%u \"\xff", entity % 8);
	return names[entity % 8];
}

static void add(struct hp_cpu_stacks *slot, const struct hp_sample_event *event)
{
	struct hp_code_frame frames[HP_MAX_KERNEL_STACK + HP_MAX_USER_STACK];
	const struct hp_cpu_sample sample = {
		.kind = HP_CPU_ON,
		.tid = event->hdr.tid,
		.ts_ns = event->hdr.ts_ns,
		.samples = 1,
		.weight_ns = 10,
		.end = event->end,
	};
	uint32_t n = event->nkernel + event->nuser;

	for (uint32_t i = 0; i < n; i++)
		frames[i] = (struct hp_code_frame){.entity = event->ips[i] % 8,
						   .known = event->ips[i] & 8};
	if (hp_cpu_stacks_add(slot, &sample, frames, n) < 0)
		abort();
}

static void check_report(struct hp_cpu_stacks *slice, size_t nsamples)
{
	for (int inclusive = 0; inclusive < 2; inclusive++) {
		struct hp_cpu_report *report = NULL;
		uint64_t sum = 0;

		if (hp_cpu_report_build(&slice, 1, inclusive, name_of, NULL, &report) < 0)
			abort();
		assert(report->total_samples == nsamples);
		assert(report->attributed_samples <= nsamples);
		for (size_t i = 0; i < report->nrows; i++) {
			assert(report->rows[i].samples <= nsamples);
			assert(!i || report->rows[i].samples <= report->rows[i - 1].samples);
			sum += report->rows[i].samples;
		}
		assert(inclusive || sum <= nsamples);
		hp_cpu_report_free(report);
	}
}

static void check_profile(struct hp_cpu_stacks *slot)
{
	const struct hp_cpu_window window = {
		.slots = &slot,
		.nslots = 1,
		.kind = HP_CPU_ON,
		.hz = 100,
		.pid = 1,
		.process = "p",
		.name = name_of,
		.file = name_of,
	};
	char *text = NULL;
	cJSON *profile;

	if (hp_cpu_profile_text(&window, &text) < 0)
		abort();
	profile = cJSON_Parse(text);
	assert(profile);
	cJSON_Delete(profile);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct records records = {.data = data, .left = size};
	const struct hp_sample_event *sample;
	struct hp_cpu_stacks *slice = NULL;
	struct hp_cpu_raw *raw = NULL;
	struct kept kept[MAX_RECORDS];
	struct hp_event *record;
	size_t n = 0, i = 0, cursor = 0;

	if (hp_cpu_stacks_new(1, 9, &slice) < 0 || hp_cpu_raw_new(5, &raw) < 0)
		abort();
	while (n < MAX_RECORDS && next_record(&records, &record, &size)) {
		int r = hp_cpu_raw_add(raw, record, size);

		assert(r == (is_sample(record, size) ? 0 : -EINVAL));
		if (r == 0)
			kept[n++] = (struct kept){.record = record, .size = size};
		else
			free(record);
	}
	while ((sample = hp_cpu_raw_next(raw, &cursor))) {
		assert(i < n && memcmp(sample, kept[i].record, kept[i].size) == 0);
		free(kept[i++].record);
		add(slice, sample);
	}
	assert(i == n);
	hp_cpu_stacks_seal(slice, 2);
	check_report(slice, n);
	check_profile(slice);
	hp_cpu_stacks_free(slice);
	hp_cpu_raw_free(raw);
	return 0;
}
