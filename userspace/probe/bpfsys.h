#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The bpf system call where libbpf 1.1 does not know the feature: uprobe_multi links (kernel 6.6,
 * commit 89ae89f53d20) and sessions (kernel 6.13, commit d920179b3d4842). Numbers are kernel ABI. Any thread.
 */
enum hp_attach_type {
	HP_ATTACH_PERF_EVENT = 0, /* loaded without a type, for probe/perfsys */
	HP_ATTACH_UPROBE_MULTI = 48,
	HP_ATTACH_UPROBE_SESSION = 57,
};

struct hp_multi {
	const char *path;        /* opened by the kernel in our mount namespace */
	pid_t pid;               /* thread group */
	const uint64_t *offsets; /* file offsets */
	const uint64_t *cookies;
	uint32_t len; /* 1 ... 2^20 (trap:U11) */
	int ret;      /* return probes; not for sessions */
};

/* Link descriptor, or negative errno. */
int hp_bpfsys_link_multi(int prog_fd, enum hp_attach_type type, const struct hp_multi *multi);
/* Loads "return 0" as a program of @type: descriptor or negative errno. */
int hp_bpfsys_load_empty(uint32_t prog_type, uint32_t attach_type);
/* Bytes of kernel memory that the map at @fd holds by its own account (fdinfo memlock), 0 if unknown. */
uint64_t hp_bpfsys_map_bytes(int fd);
/* Sets one element of a map. 0 or negative errno. */
int hp_bpfsys_map_put(int map_fd, const void *key, const void *value);
