/* Any bytes as a file: what is accepted has code whose addresses can be looked up, and a build id in hexadecimal. */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "elf/loads.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct hp_loads loads;
	uint64_t low, high;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		return 0;
	if (hp_loads_read(fd, &loads) < 0)
		return 0;
	assert(loads.ncode > 0 && loads.ncode <= HP_LOADS_MAX);
	assert(strspn(loads.build_id, "0123456789abcdef") == strlen(loads.build_id));
	hp_loads_range(&loads, &low, &high);
	assert(low <= high);
	for (size_t i = 0; i < loads.ncode; i++) {
		uint64_t vaddr;

		assert(hp_loads_vaddr(&loads, loads.code[i].offset, &vaddr));
		assert(low <= loads.code[i].vaddr);
	}
	return 0;
}
