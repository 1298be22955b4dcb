#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hotpathd/abi/config.h"

struct hp_allocator_pools;
struct hp_argspecs;
struct hp_select;

/* What the user asked for, as the engine and the domains need it. Const once the engine runs. */
struct hp_settings {
	const struct hp_select *functions, *exclude, *exact;
	const struct hp_argspecs *args;         /* --args; NULL = none */
	const struct hp_allocator_pools *pools; /* --allocator */
	const double *percentiles;
	unsigned npercentiles;
	unsigned cpu_hz;
	unsigned cpu_window_sec;
	bool cpu_inclusive;
	bool no_inline; /* no inlined functions and lines in stacks: debug information stays unread */
	double overhead_percent; /* of the target's CPU time that function probes may take */
	bool follow_forks;       /* forked children are part of the profile */
	bool no_compensate;      /* durations as measured, the cost of probes included */
	bool wire_latest;        /* --wire latest: function lists for newer consoles */
	unsigned limit;          /* entries per list, 0 = all */
	unsigned ring_bytes;     /* of one CPU's ring; power of two, at least a page */
	/* The domain alloc: whether it is on and how timed functions are credited; live blocks that are remembered. */
	enum hp_allocs allocs;
	bool alloc_count; /* functions are ranked by requests, not by bytes */
	unsigned alloc_blocks;
	unsigned alloc_period; /* one request in so many bytes has its stack taken; 0 = each */
	bool starting;    /* the target is a child that has not run yet: its libraries come later */
	bool no_sessions; /* test aid: use entry + return links although the kernel has sessions */
};
