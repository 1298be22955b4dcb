#pragma once

#include <stddef.h>
#include <stdint.h>

/* .gnu_debuglink: the name of the file that holds what was stripped, and its checksum. */
struct hp_debuglink {
	char name[256]; /* a base name, "" = no link */
	uint32_t crc;
};

/* 0 or -EBADMSG: also for a name that leads into another directory. Filled only after 0. Pure. */
int hp_debuglink_read(const void *data, size_t size, struct hp_debuglink *ret_link);
/* Whether @name may be looked for in a directory. */
int hp_debuglink_check_name(const char *name); /* 0 or -EBADMSG */
/* Checksum of the whole file @fd as the link has it. 0 or negative errno. */
int hp_debuglink_crc(int fd, uint32_t *ret_crc);
