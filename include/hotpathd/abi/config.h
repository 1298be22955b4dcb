#pragma once

#include "hotpathd/abi/types.h"

/*
 * Settings of every BPF object, in its read-only data, set before load. The defaults let each object
 * verify by itself.
 */
struct hp_config {
	__u32 tgid;      /* target, initial pid namespace */
	__u32 ncpus;     /* possible CPUs: rows of the per-CPU array maps */
	__u32 nrings;    /* rings; ring of a CPU = cpu % nrings */
	__u32 nentities; /* rows per CPU in the totals map */
	__u32 follow;    /* --follow-forks: children are part of the profile */
	__u32 allocs; /* enum hp_allocs: whether timed calls are credited with what they request */
};
HP_ABI_SIZE(struct hp_config, 24);

enum hp_allocs { HP_ALLOCS_OFF, HP_ALLOCS_EXCLUSIVE, HP_ALLOCS_CUMULATIVE };

#define HP_MAX_RINGS 64
