/* Any symbol name, as a target's file may hold it. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "elf/demangle.h"

const char *__lsan_default_suppressions(void);

/* Jumping out of libiberty loses the word of a Rust name that it was printing (userspace/elf/demangle.c). */
const char *__lsan_default_suppressions(void)
{
	return "leak:print_ident\n";
}

static bool is_cold(const char *raw)
{
	for (const char *at = raw; (at = strstr(at, ".cold")); at++) {
		if (at > raw && (at[5] == '\0' || at[5] == '.'))
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HP_AUTO_FREE char *raw = malloc(size + 1);
	char name[HP_NAME_MAX], again[HP_NAME_MAX];
	bool cold, cold_again;
	size_t left;

	if (!raw)
		return 0;
	memcpy(raw, data, size);
	raw[size] = '\0';
	memset(name, 0x5a, sizeof(name));
	hp_demangle(raw, name, &cold);
	assert(memchr(name, 0, sizeof(name)));
	assert(cold == is_cold(raw));
	left = strlen(name);
	for (const char *at = name; left;) {
		size_t step = hp_utf8_sequence(at, left);

		assert(step && (unsigned char)*at >= 0x20);
		at += step;
		left -= step;
	}
	/* What stands for nothing but itself stays as it is. */
	if (strlen(raw) < HP_NAME_MAX &&
	    strspn(raw, "abcdefghijklmnopqrstuvwxyz_0123456789") == strlen(raw))
		assert(strcmp(name, raw) == 0);
	hp_demangle(raw, again, &cold_again);
	assert(strcmp(name, again) == 0 && cold == cold_again);
	return 0;
}
