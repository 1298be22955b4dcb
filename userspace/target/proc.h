#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

/*
 * Readers of /proc. The parsers take text, so that tests and fuzzers feed them directly; each
 * hp_proc_read_* opens the file and calls the parser. Any thread. Text comes from a hostile target
 * (thread names may hold ") (" or newlines escaped by the kernel): parsers never trust it.
 */
struct hp_proc_stat {  /* /proc/PID/stat or /proc/PID/task/TID/stat */
	char comm[64]; /* what stands between the first '(' and the last ')' */
	char state;
	uint64_t utime_ticks, stime_ticks;
	uint64_t start_ticks; /* since boot: with the pid the identity of a process (trap:U14) */
	uint64_t flags;       /* PF_*: PF_KTHREAD = 0x00200000 */
	int processor;        /* the CPU it ran on last, -1 = the text ends before it */
};

/* 0, or -EBADMSG when the text is not such a file. */
int hp_proc_parse_stat(const char *text, size_t len, struct hp_proc_stat *ret_stat);
/* @tid 0 = the process. 0, -ENOENT/-ESRCH (gone), -EBADMSG, other negative errno. */
int hp_proc_read_stat(pid_t pid, pid_t tid, struct hp_proc_stat *ret_stat);

struct hp_proc_status { /* /proc/PID/status */
	pid_t tgid, tracer_pid;
	int seccomp;          /* 0 none, 1 strict, 2 filter */
	unsigned nspid_depth; /* numbers on the NSpid line: above 1 = own pid namespace (trap:T3) */
	pid_t nspid;    /* the last of them: the process' id as it sees it itself; 0 = not told */
	uint32_t fsuid; /* owner of the files that it makes, in our user namespace */
	unsigned threads;
	bool kthread;
	bool shadow_stack; /* x86_Thread_features has shstk (trap:U10) */
};

int hp_proc_parse_status(const char *text, size_t len, struct hp_proc_status *ret_status);
int hp_proc_read_status(pid_t pid, struct hp_proc_status *ret_status);

struct hp_mapping { /* one line of /proc/PID/maps */
	uint64_t start, end, offset, inode;
	uint32_t dev_major, dev_minor;
	bool exec, write, deleted;
	/* " (deleted)" cut off, octal escapes kept; "" for anonymous; "[vdso]" ... as is. */
	char *path;
};

struct hp_maps {
	struct hp_mapping *data; /* sorted by start */
	size_t len;
};

/* 0, -EBADMSG (a line does not parse), -E2BIG (more than 1,000,000 lines), -ENOMEM. */
int hp_maps_parse(const char *text, size_t len, struct hp_maps **ret_maps);
int hp_maps_read(pid_t pid, struct hp_maps **ret_maps);
void hp_maps_free(struct hp_maps *maps);
HP_DEFINE_AUTO(hp_maps)
const struct hp_mapping *hp_maps_find(const struct hp_maps *maps, uint64_t addr);

/* resident pages * page size from /proc/PID/statm, 0 if gone. */
uint64_t hp_proc_rss_bytes(pid_t pid);

/* Whole file, NUL added after *@ret_len bytes, at most @cap bytes (-E2BIG beyond). Caller frees. */
int hp_proc_read_file(const char *path, size_t cap, char **ret_text, size_t *ret_len);
