#include "elf/debuglink.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <lzma.h>

#include "base/reader.h"

int hp_debuglink_check_name(const char *name)
{
	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EBADMSG;
	return 0;
}

int hp_debuglink_read(const void *data, size_t size, struct hp_debuglink *ret_link)
{
	struct hp_reader reader = hp_reader_over(data, size);
	const char *name = hp_reader_cstr(&reader);
	struct hp_debuglink link = {0};

	if (!name || strlen(name) >= sizeof(link.name) || hp_debuglink_check_name(name) < 0)
		return -EBADMSG;
	hp_reader_bytes(&reader, (4 - reader.pos % 4) % 4);
	link.crc = hp_reader_u32(&reader);
	if (reader.failed)
		return -EBADMSG;
	memcpy(link.name, name, strlen(name) + 1);
	*ret_link = link;
	return 0;
}

int hp_debuglink_crc(int fd, uint32_t *ret_crc)
{
	uint8_t buf[65536];
	uint32_t crc = 0;
	off_t pos = 0;
	ssize_t got;

	while ((got = pread(fd, buf, sizeof(buf), pos)) > 0) {
		crc = lzma_crc32(buf, (size_t)got, crc); /* the same polynomial */
		pos += got;
	}
	if (got < 0)
		return -errno;
	*ret_crc = crc;
	return 0;
}
