/* Any bytes as .gnu_debugdata: never more out than the cap. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "elf/minidebug.h"

#define MAX_OUT 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HP_AUTO_FREE void *unpacked = NULL;
	size_t unpacked_size = 0;
	int r = hp_minidebug_unpack(data, size, MAX_OUT, &unpacked, &unpacked_size);

	assert(r == 0 || r == -EBADMSG || r == -E2BIG || r == -ENOMEM);
	assert(r == 0 ? unpacked_size <= MAX_OUT : !unpacked);
	return 0;
}
