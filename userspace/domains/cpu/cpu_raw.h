#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "hotpathd/abi/cpu.h"

/*
 * Samples between two cuts as the rings brought them: struct hp_sample_event, one after the other.
 * One owner.
 */
struct hp_cpu_raw {
	uint64_t start_ns, end_ns;
	HP_VEC(uint64_t) words;
};

int hp_cpu_raw_new(uint64_t now_ns, struct hp_cpu_raw **ret_raw); /* 0 or -ENOMEM */
void hp_cpu_raw_free(struct hp_cpu_raw *raw);
HP_DEFINE_AUTO(hp_cpu_raw)

/*
 * Appends a ring record of @size bytes: 0, -EINVAL (it is no sample, or not as long as it says) or
 * -ENOMEM.
 */
int hp_cpu_raw_add(struct hp_cpu_raw *raw, const struct hp_event *event, size_t size);
/* Walks the samples: start with *@cursor = 0; NULL at the end. Valid until the next add. */
const struct hp_sample_event *hp_cpu_raw_next(const struct hp_cpu_raw *raw, size_t *cursor);
