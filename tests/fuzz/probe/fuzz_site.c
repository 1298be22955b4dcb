/* The first bytes of a function, held against the opcodes that the kernel is known to emulate or to refuse. */
#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "probe/site.h"

static bool is_one_of(uint8_t byte, const char *bytes, size_t n)
{
	return memchr(bytes, byte, n) != NULL;
}

/* trap:U3: es, cs, ss, ds, lock among the prefixes, before anything else. */
static bool has_bad_prefix(const uint8_t *code, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (is_one_of(code[i], "\x26\x2e\x36\x3e\xf0", 5))
			return true;
		if (!is_one_of(code[i], "\x64\x65\x66\x67\xf2\xf3", 6))
			return false;
	}
	return false;
}

/* What one byte without prefixes already decides, if the instruction is complete: -1 = nothing. */
static int known_class(const uint8_t *code, size_t len)
{
	if (code[0] >= 0x50 && code[0] <= 0x57)
		return HP_SITE_EMULATED; /* push */
	if (code[0] == 0x90)
		return HP_SITE_EMULATED; /* nop */
	if ((code[0] >= 0x70 && code[0] <= 0x7f) || code[0] == 0xeb)
		return len >= 2 ? HP_SITE_EMULATED : HP_SITE_REFUSED;
	if (code[0] == 0xe8 || code[0] == 0xe9)
		return len >= 5 ? HP_SITE_EMULATED : HP_SITE_REFUSED;
	if (code[0] == 0x0f && len >= 6 && code[1] >= 0x80 && code[1] <= 0x8f)
		return HP_SITE_EMULATED;
	if ((code[0] >= 0x58 && code[0] <= 0x5f) || code[0] == 0xc3 || code[0] == 0xc9)
		return HP_SITE_STEPPED; /* pop, ret, leave */
	if (is_one_of(code[0], "\xcc\xce\xf4\xfa\xfb\x6c\x6d\x6e\x6f\xec\xed\xee\xef\x06", 14))
		return HP_SITE_REFUSED; /* int3, into, hlt, cli, sti, ports, invalid */
	return -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hp_site site = hp_site_at(data, size);
	uint8_t padded[HP_SITE_BYTES];
	int known;

	assert(site.class <= HP_SITE_REFUSED);
	assert(hp_site_class_name(site.class)[0]);
	assert(site.delta == 0);
	assert((site.class == HP_SITE_REFUSED) == (site.reason != NULL));
	if (size == 0 || has_bad_prefix(data, size))
		assert(site.class == HP_SITE_REFUSED);
	known = size ? known_class(data, size) : HP_SITE_REFUSED;
	assert(known < 0 || site.class == (enum hp_site_class)known);

	/* What follows the first instruction says nothing about it. */
	if (site.class == HP_SITE_REFUSED)
		return 0;
	for (unsigned fill = 0; fill < 256; fill += 85) {
		memset(padded, (int)fill, sizeof(padded));
		memcpy(padded, data, size < sizeof(padded) ? size : sizeof(padded));
		assert(hp_site_at(padded, sizeof(padded)).class == site.class);
	}
	return 0;
}
