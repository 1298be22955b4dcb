#include "elf/demangle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libiberty/demangle.h>

#include "base/cleanup.h"
#include "base/utf8.h"

/* Longer than any symbol that a person wrote; also bounds the demangler's work. */
#define MAX_RAW 8192

static const char *const clone_suffixes[] = {
	".part.", ".constprop.", ".isra.", ".llvm.", ".lto_priv.", ".cold",
};

/* Start of the first clone suffix, or the end of the name. Names may begin with a dot. */
static size_t stem_length(const char *raw, bool *ret_cold)
{
	size_t stem = strlen(raw);

	*ret_cold = false;
	for (size_t i = 0; i < HP_ARRAY_SIZE(clone_suffixes); i++) {
		const char *at = *raw ? strstr(raw + 1, clone_suffixes[i]) : NULL;

		if (!at)
			continue;
		if (i + 1 == HP_ARRAY_SIZE(clone_suffixes)) {
			if (at[5] != '\0' && at[5] != '.')
				continue;
			*ret_cold = true;
		}
		if ((size_t)(at - raw) < stem)
			stem = (size_t)(at - raw);
	}
	return stem;
}

static void copy_clean(const char *text, char buf[HP_NAME_MAX])
{
	size_t left = strlen(text), used = 0;

	while (left) {
		size_t step = hp_utf8_sequence(text, left);
		bool good = step && (unsigned char)text[0] >= 0x20;
		size_t n = good ? step : 1;

		if (used + n >= HP_NAME_MAX)
			break;
		memcpy(buf + used, good ? text : "?", n);
		used += n;
		text += step ? step : 1;
		left -= step ? step : 1;
	}
	buf[used] = '\0';
}

void hp_demangle(const char *raw, char buf[HP_NAME_MAX], bool *ret_cold)
{
	HP_AUTO_FREE char *demangled = NULL;
	char stem[MAX_RAW];
	const char *version = strchr(raw, '@');
	size_t len = stem_length(raw, ret_cold);

	if (version && version > raw && (size_t)(version - raw) < len)
		len = (size_t)(version - raw);
	if (len >= sizeof(stem))
		len = sizeof(stem) - 1;
	memcpy(stem, raw, len);
	stem[len] = '\0';
	if (strncmp(stem, "_R", 2) == 0 || strncmp(stem, "_ZN", 3) == 0)
		demangled = rust_demangle(stem, 0); /* NULL for what only looks like it */
	if (!demangled && strncmp(stem, "_Z", 2) == 0)
		demangled = cplus_demangle_v3(stem, DMGL_PARAMS | DMGL_ANSI);
	copy_clean(demangled ? demangled : stem, buf);
}
