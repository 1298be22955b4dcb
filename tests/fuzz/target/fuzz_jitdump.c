/* Bytes of a jitdump: whatever they are, what is found has a name, and a file where it has a line. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>

#include "target/jitdump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HP_AUTO(hp_jitdump) struct hp_jitdump *dump = NULL;
	struct hp_jit_code code;
	uint64_t done = 0, taken = 0;

	if (hp_jitdump_new(&dump) < 0)
		return 0;
	/* Half of it first, as a file grows. */
	for (size_t there = size / 2; done < there; there = size) {
		int r = hp_jitdump_feed(dump, data + done, there - done, &taken);

		assert(r == 0 || r == -EBADMSG || r == -E2BIG || r == -ENOMEM);
		if (r < 0)
			break;
		done += taken;
		if (there == size)
			break;
	}
	for (uint64_t addr = 0; addr < 0x4000; addr += 8) {
		if (!hp_jitdump_find(dump, addr, &code))
			continue;
		assert(code.name && *code.name);
		assert(code.file || code.line == 0);
	}
	return 0;
}
