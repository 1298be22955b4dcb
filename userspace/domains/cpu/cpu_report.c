#include "domains/cpu/cpu_report.h"

#include <errno.h>
#include <string.h>

#include "base/map.h"

int hp_cpu_slice_add(struct hp_cpu_slice *slice, uint64_t ts_ns, uint32_t tid,
		     const struct hp_cpu_frame *frames, uint32_t len)
{
	struct hp_cpu_sample sample = {
		.ts_ns = ts_ns,
		.tid = tid,
		.first = (uint32_t)slice->frames.len,
		.len = len,
	};
	int r = hp_vec_reserve(&slice->frames, slice->frames.len + len);

	if (r == 0)
		r = hp_vec_push(&slice->samples, sample);
	if (r < 0)
		return r;
	if (len)
		memcpy(slice->frames.data + slice->frames.len, frames, len * sizeof(*frames));
	slice->frames.len += len;
	return 0;
}

void hp_cpu_slice_free(struct hp_cpu_slice *slice)
{
	if (!slice)
		return;
	hp_vec_free(&slice->samples);
	hp_vec_free(&slice->frames);
	free(slice);
}

static int count(struct hp_map *counts, uint32_t entity)
{
	uint64_t samples = 0;
	int r;

	hp_map_get(counts, entity, &samples);
	r = hp_map_put(counts, entity, samples + 1);
	return r < 0 ? r : 0;
}

/* Stacks are short, so looking back costs less than a set. */
static bool seen_before(const struct hp_cpu_frame *frames, uint32_t i)
{
	for (uint32_t k = 0; k < i; k++) {
		if (frames[k].entity == frames[i].entity)
			return true;
	}
	return false;
}

static int count_sample(struct hp_map *counts, const struct hp_cpu_frame *frames, uint32_t len,
			bool inclusive, bool *ret_attributed)
{
	bool attributed = false;
	int r = 0;

	for (uint32_t i = 0; i < len && r == 0; i++) {
		attributed |= frames[i].known;
		if (i == 0 || (inclusive && !seen_before(frames, i)))
			r = count(counts, frames[i].entity);
	}
	*ret_attributed = attributed;
	return r;
}

static int by_samples(const void *a, const void *b)
{
	const struct hp_cpu_row *left = a, *right = b;

	if (left->samples != right->samples)
		return left->samples < right->samples ? 1 : -1;
	return strcmp(left->name, right->name);
}

int hp_cpu_report_build(struct hp_cpu_slice *const *slices, size_t nslices, bool inclusive,
			const char *(*name)(void *arg, uint32_t entity), void *arg,
			struct hp_cpu_report **ret_report)
{
	HP_AUTO(hp_map) struct hp_map *counts = NULL;
	uint64_t total = 0, attributed = 0, entity, samples;
	struct hp_cpu_report *report;
	size_t cursor = 0;
	int r = hp_map_new(&counts);

	for (size_t i = 0; i < nslices && r == 0; i++) {
		hp_vec_each(sample, &slices[i]->samples) {
			const struct hp_cpu_frame *frames = NULL;
			bool known = false;

			if (sample->len) /* else the slice may hold no frames at all */
				frames = slices[i]->frames.data + sample->first;
			r = count_sample(counts, frames, sample->len, inclusive, &known);
			if (r < 0)
				return r;
			total++;
			attributed += known;
		}
	}
	if (r < 0)
		return r;
	report = calloc(1, sizeof(*report) + hp_map_len(counts) * sizeof(report->rows[0]));
	if (!report)
		return -ENOMEM;
	atomic_init(&report->refs, 1);
	report->inclusive = inclusive;
	report->total_samples = total;
	report->attributed_samples = attributed;
	report->start_ns = nslices ? slices[0]->start_ns : 0;
	report->end_ns = nslices ? slices[nslices - 1]->end_ns : 0;
	while (hp_map_next(counts, &cursor, &entity, &samples))
		report->rows[report->nrows++] = (struct hp_cpu_row){
			.entity = (uint32_t)entity,
			.samples = samples,
			.name = name(arg, (uint32_t)entity),
		};
	qsort(report->rows, report->nrows, sizeof(report->rows[0]), by_samples);
	*ret_report = report;
	return 0;
}

struct hp_cpu_report *hp_cpu_report_ref(struct hp_cpu_report *report)
{
	atomic_fetch_add(&report->refs, 1);
	return report;
}

void hp_cpu_report_free(struct hp_cpu_report *report)
{
	if (report && atomic_fetch_sub(&report->refs, 1) == 1)
		free(report);
}
