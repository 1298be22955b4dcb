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
};
HP_ABI_SIZE(struct hp_config, 20);

#define HP_MAX_RINGS 64
