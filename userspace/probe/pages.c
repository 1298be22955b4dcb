#include "probe/pages.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"

void hp_pages_cache(const char *path, const uint64_t *offsets, size_t n)
{
	HP_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t last = UINT64_MAX;
	char byte;

	for (size_t i = 0; fd >= 0 && i < n; i++) {
		uint64_t page = offsets[i] >> 12;

		if (page != last && pread(fd, &byte, 1, (off_t)offsets[i]) != 1)
			return; /* attaching will tell what is wrong */
		last = page;
	}
}
