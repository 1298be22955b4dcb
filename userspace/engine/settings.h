#pragma once

#include <stdbool.h>
#include <stdint.h>

struct hp_argspecs;
struct hp_select;

/* What the user asked for, as the engine and the domains need it. Const once the engine runs. */
struct hp_settings {
	const struct hp_select *functions, *exclude, *exact;
	const struct hp_argspecs *args; /* --args; NULL = none */
	const double *percentiles;
	unsigned npercentiles;
	unsigned cpu_hz;
	unsigned cpu_window_sec;
	bool cpu_inclusive;
	double overhead_percent; /* of the target's CPU time that function probes may take */
	bool follow_forks;       /* forked children are part of the profile */
	bool no_compensate;      /* durations as measured, the cost of probes included */
	bool wire_latest;        /* --wire latest: function lists for newer consoles */
	unsigned limit;          /* entries per list, 0 = all */
	unsigned ring_bytes;     /* of one CPU's ring; power of two, at least a page */
	bool starting;    /* the target is a child that has not run yet: its libraries come later */
	bool no_sessions; /* test aid: use entry + return links although the kernel has sessions */
};
