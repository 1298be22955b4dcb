/* Any bytes as .gnu_debuglink: what is accepted is a name in a directory, and written again the same bytes. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "elf/debuglink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hp_debuglink link = {0};
	int r = hp_debuglink_read(data, size, &link);
	size_t len, at;

	assert(r == 0 || r == -EBADMSG);
	if (r < 0) {
		assert(!link.name[0]);
		return 0;
	}
	len = strlen(link.name);
	at = (len + 4) / 4 * 4;
	assert(len && !strchr(link.name, '/') && strcmp(link.name, "..") != 0);
	assert(memcmp(link.name, data, len + 1) == 0);
	assert(at + 4 <= size && memcmp(&link.crc, data + at, 4) == 0);
	return 0;
}
