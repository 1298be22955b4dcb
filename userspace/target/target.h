#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct hp_err;
struct hp_maps;
struct hp_module;

/*
 * The process being profiled, held by pidfd so that a reused pid is never taken for it (trap:U14).
 * Immutable after open except for the two refreshes. One owner; the accessors are safe on any thread while
 * nobody refreshes.
 */
struct hp_target;

/*
 * Opens @pid. Errors with a sentence in *@err: -ESRCH (no such process, or it died meanwhile; also: pid names a
 * thread — then the sentence gives the process id), -EPERM (no privilege), -ENOTSUP (kernel thread, 32-bit program).
 */
int hp_target_open(pid_t pid, struct hp_target **ret_target, struct hp_err *err);
void hp_target_free(struct hp_target *target);
HP_DEFINE_AUTO(hp_target)

/*
 * The one process whose comm (or base name of the executable) is @name; own process excluded. None: -ESRCH; several: -EEXIST, and
 * *@err lists them with pid and command line (as many as fit).
 */
int hp_target_find(const char *name, pid_t *ret_pid, struct hp_err *err);

pid_t hp_target_pid(const struct hp_target *target);
int hp_target_pidfd(const struct hp_target *target);  /* readable once the process has exited */
bool hp_target_alive(const struct hp_target *target); /* same pid and same start time */
const char *hp_target_comm(const struct hp_target *target);
const char *hp_target_exe(const struct hp_target *target); /* path as the target sees it */
uint64_t hp_target_start_ticks(const struct hp_target *target);

/* A mapped ELF file: unique (device, inode), opened by /proc/PID/map_files (trap:T1, deleted files work). */
struct hp_image {
	char *path;           /* from maps, for people */
	const char *name;     /* base name of path */
	uint64_t start, end;  /* the executable mapping used to open it */
	uint64_t file_offset; /* of start */
	/* Runtime address = link-time address + bias; valid once module is loaded. */
	uint64_t bias;
	bool is_exe;
	bool deleted;
	uint64_t dev, inode;
};

/*
 * Images with an executable file mapping, executable first. Borrowed until the next refresh.
 * trap:T2: memfd is a file and listed; anonymous text and [vdso] are not.
 */
const struct hp_image *hp_target_images(const struct hp_target *target, size_t *ret_len);
/* Re-reads maps. 0 = nothing new, 1 = images changed, negative errno. */
int hp_target_refresh_maps(struct hp_target *target);
/* After an exec: name and path of the program that it is now. 0 or negative errno, then nothing has changed. */
int hp_target_refresh_program(struct hp_target *target);
const struct hp_maps *hp_target_maps(const struct hp_target *target);
/* File descriptor (O_RDONLY) of @image, or negative errno. */
int hp_target_open_image(const struct hp_target *target, const struct hp_image *image);
/* Path usable by the kernel for uprobes: /proc/PID/map_files/START-END, else /proc/PID/root/PATH. */
int hp_target_image_path(const struct hp_target *target, const struct hp_image *image, char *buf,
			 size_t size);
/* Load bias of @image given its module (trap:T4); 0 for non-PIE. */
uint64_t hp_target_bias(const struct hp_image *image, const struct hp_module *module);

/*
 * What was found in the target that limits what may be done to it. Each is one sentence.
 */
enum hp_preflight {
	/* Go, fibers, shadow stacks, seccomp + kernel range: traps U4 U9 U10. */
	HP_PRE_NO_RETURN_PROBES = 1 << 0,
	/* Go whose functions cannot be told from C. */
	HP_PRE_NO_UPROBES = 1 << 1,
	HP_PRE_TRACED = 1 << 2, /* a tracer is attached (trap:U15) */
	HP_PRE_PIDNS = 1 << 3,  /* own pid namespace (trap:T3) */
	HP_PRE_SECCOMP = 1 << 4,
	HP_PRE_GO =
		1
		<< 5, /* there is Go code: no return probes anywhere, not in its C libraries either */
};

struct hp_preflight_report {
	uint32_t flags; /* HP_PRE_* */
	unsigned nlines;
	char lines[8][192]; /* sentences for --dry-run, --verbose and /profiler_status */
	/* Index of the line that matters most: with HP_PRE_NO_RETURN_PROBES or _NO_UPROBES it says why, else with HP_PRE_GO. */
	unsigned main_line;
};

/*
 * @exe: module of the executable, or NULL when it could not be read; @modules: every loaded image's module
 * (traits are merged). Kernel release is read with uname for trap:U9 only, as the CVE is a version range.
 */
int hp_target_preflight(const struct hp_target *target, struct hp_module *const *modules,
			size_t nmodules, struct hp_preflight_report *ret_report);
