#include "domains/cpu/cpu_raw.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define HEADER offsetof(struct hp_sample_event, ips)

int hp_cpu_raw_new(uint64_t now_ns, struct hp_cpu_raw **ret_raw)
{
	struct hp_cpu_raw *raw = calloc(1, sizeof(*raw));

	if (!raw)
		return -ENOMEM;
	raw->start_ns = raw->end_ns = now_ns;
	*ret_raw = raw;
	return 0;
}

void hp_cpu_raw_free(struct hp_cpu_raw *raw)
{
	if (!raw)
		return;
	hp_vec_free(&raw->words);
	free(raw);
}

static size_t size_of(const struct hp_sample_event *sample)
{
	return HEADER + ((size_t)sample->nkernel + sample->nuser) * sizeof(sample->ips[0]);
}

int hp_cpu_raw_add(struct hp_cpu_raw *raw, const struct hp_event *event, size_t size)
{
	const struct hp_sample_event *sample = (const void *)event;
	size_t words = size / sizeof(raw->words.data[0]);
	int r;

	if (size < HEADER || event->kind != HP_EVENT_SAMPLE ||
	    sample->nkernel > HP_MAX_KERNEL_STACK || sample->nuser > HP_MAX_USER_STACK ||
	    (sample->end & ~HP_STACK_GUESSED) >= HP_NSTACK_ENDS || size != size_of(sample))
		return -EINVAL;
	r = hp_vec_reserve(&raw->words, raw->words.len + words);
	if (r < 0)
		return r;
	memcpy(raw->words.data + raw->words.len, event, size);
	raw->words.len += words;
	return 0;
}

const struct hp_sample_event *hp_cpu_raw_next(const struct hp_cpu_raw *raw, size_t *cursor)
{
	const struct hp_sample_event *sample;

	if (*cursor >= raw->words.len)
		return NULL;
	sample = (const void *)(raw->words.data + *cursor);
	*cursor += size_of(sample) / sizeof(raw->words.data[0]);
	assert(*cursor <= raw->words.len); /* add lets no other in */
	return sample;
}
