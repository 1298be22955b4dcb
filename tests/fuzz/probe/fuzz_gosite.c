/*
 * Code of a function. Where a stack check is found, the probe must stand on a jbe whose target lies in the function, and
 * behind nothing but instructions; what follows the function says nothing.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "probe/gosite.h"

/* Length of a jbe at @code, after prefixes in any order (a REX before another one counts for nothing); 0 = there is none. */
static size_t jbe_at(const uint8_t *code, size_t len, int32_t *ret_to)
{
	size_t at = 0;

	while (at < len && at < 14 &&
	       (memchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf2\xf3", code[at], 10) ||
		(code[at] & 0xf0) == 0x40))
		at++;
	if (at + 2 <= len && code[at] == 0x76) {
		*ret_to = (int8_t)code[at + 1];
		return at + 2;
	}
	if (at + 6 <= len && code[at] == 0x0f && code[at + 1] == 0x86) {
		memcpy(ret_to, code + at + 2, 4);
		return at + 6;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *longer = calloc(1, size + 64);
	struct hp_gosite gosite = {0}, again = {0};
	size_t len;
	int32_t to;

	assert(longer);
	if (size)
		memcpy(longer, data, size);
	assert(hp_gosite_check(longer, size, &gosite) == gosite.checks);
	memset(longer + size, 0x76, 64);
	hp_gosite_check(longer, size, &again);
	free(longer);
	assert(gosite.checks == again.checks && gosite.site.delta == again.site.delta);
	assert(gosite.checks || !gosite.by_r14);
	if (!gosite.checks)
		return 0;
	assert(gosite.site.delta < size && gosite.site.delta < HP_SITE_BYTES);
	len = jbe_at(data + gosite.site.delta, size - gosite.site.delta, &to);
	assert(len);
	assert((int64_t)gosite.site.delta + (int64_t)len + to >= 0);
	assert((uint64_t)((int64_t)gosite.site.delta + (int64_t)len + to) < size);
	return 0;
}
