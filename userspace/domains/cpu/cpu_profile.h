#pragma once

#include <stddef.h>
#include <stdint.h>

#include "domains/cpu/cpu_report.h"

/*
 * Samples as a Firefox-profiler file: "processed profile" format, preprocessedProfileVersion 47, one
 * thread per tid, gzip. Source: docs-developer/processed-profile-format.md and src/types/profile of
 * firefox-devtools/profiler.
 */
struct hp_cpu_profile_info {
	int pid;
	const char *process;
	double interval_ms;
	uint64_t start_wall_ms; /* Unix time of start_mono_ns */
	uint64_t start_mono_ns;
	/* Name of an entity; name of a thread into @buf. */
	const char *(*name)(void *arg, uint32_t entity);
	const char *(*thread_name)(void *arg, uint32_t tid, char *buf, size_t size);
	void *arg;
};

/* The JSON text (caller frees). 0 or -ENOMEM. */
int hp_cpu_profile_text(struct hp_cpu_slice *const *slices, size_t nslices,
			const struct hp_cpu_profile_info *info, char **ret_text);
/* Compressed, at once visible under @path (written beside it and renamed). 0 or negative errno. */
int hp_cpu_profile_write(const char *text, const char *path);
