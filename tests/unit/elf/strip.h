/* Programs taken apart by other people's tools, in a directory of their own. */
#pragma once

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char strip_dir[64];

/* False: the command failed, or is missing. */
__attribute__((format(printf, 1, 2))) static inline bool strip_run(const char *fmt, ...)
{
	char command[4096];
	va_list args;
	int len, status;

	va_start(args, fmt);
	len = vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	if ((size_t)len >= sizeof(command))
		return false;
	status = system(command);
	return status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static inline int strip_setup(void **state)
{
	snprintf(strip_dir, sizeof(strip_dir), "/tmp/hotpathd-strip-XXXXXX");
	return mkdtemp(strip_dir) ? 0 : -1;
}

static inline int strip_teardown(void **state)
{
	return strip_run("rm -rf '%s'", strip_dir) ? 0 : -1;
}

/* A file in that directory, opened; -1 = there is none. */
static inline int strip_open(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", strip_dir, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}
