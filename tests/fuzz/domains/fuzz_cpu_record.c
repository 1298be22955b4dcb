/*
 * Sample records of any content and length: those that are as long as they say come back unchanged
 * and in order, and a report and a profile can be made from whatever addresses they hold.
 */
#include <errno.h>

#include <cjson/cJSON.h>

#include "domains/cpu/cpu_profile.h"
#include "domains/cpu/cpu_raw.h"
#include "records.h"

#define MAX_RECORDS 64

struct kept {
	struct hp_event *record;
	size_t size;
};

static bool is_sample(const struct hp_event *record, size_t size)
{
	uint16_t counts[2];

	if (size < 24 || record->kind != 1)
		return false;
	memcpy(counts, (const char *)record + 16, sizeof(counts));
	return counts[0] <= 32 && counts[1] <= 127 && size == 24 + 8u * (counts[0] + counts[1]);
}

static const char *name_of(void *arg, uint32_t entity)
{
	static char names[8][16];

	snprintf(names[entity % 8], sizeof(names[0]), "f%u \"\xff", entity % 8);
	return names[entity % 8];
}

static const char *thread_name(void *arg, uint32_t tid, char *buf, size_t size)
{
	snprintf(buf, size, "thread_%u", tid);
	return buf;
}

static void add(struct hp_cpu_slice *slice, const struct hp_sample_event *sample)
{
	struct hp_cpu_frame frames[HP_MAX_KERNEL_STACK + HP_MAX_USER_STACK];
	uint32_t n = sample->nkernel + sample->nuser;

	for (uint32_t i = 0; i < n; i++)
		frames[i] = (struct hp_cpu_frame){.entity = sample->ips[i] % 8,
						  .known = sample->ips[i] & 8};
	if (hp_cpu_slice_add(slice, sample->hdr.ts_ns, sample->hdr.tid, frames, n) < 0)
		abort();
}

static void check_report(struct hp_cpu_slice *slice, size_t nsamples)
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

static void check_profile(struct hp_cpu_slice *slice)
{
	const struct hp_cpu_profile_info info = {
		.pid = 1,
		.process = "p",
		.interval_ms = 10,
		.name = name_of,
		.thread_name = thread_name,
	};
	char *text = NULL;
	cJSON *profile;

	if (hp_cpu_profile_text(&slice, 1, &info, &text) < 0)
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
	struct hp_cpu_slice *slice = calloc(1, sizeof(*slice));
	struct hp_cpu_raw *raw = NULL;
	struct kept kept[MAX_RECORDS];
	struct hp_event *record;
	size_t n = 0, i = 0, cursor = 0;

	if (!slice || hp_cpu_raw_new(5, &raw) < 0)
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
	check_report(slice, n);
	check_profile(slice);
	hp_cpu_slice_free(slice);
	hp_cpu_raw_free(raw);
	return 0;
}
