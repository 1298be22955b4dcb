#include "elf/demangle.h"

#include <setjmp.h>
#include <string.h>

#include <libiberty/demangle.h>

#include "base/cleanup.h"
#include "base/utf8.h"

/* Longer than any symbol that a person wrote. */
#define MAX_RAW 8192

/*
 * What the demangler gives piece by piece. 250 bytes of back references stand for gigabytes of text, and it has no
 * way to be told "enough", so the piece that fills the room jumps out. It allocates nothing while it prints but
 * a word of a non-ASCII Rust name, which is then lost to the child.
 */
struct pieces {
	char text[HP_NAME_MAX + 4]; /* so that the cut is copy_clean()'s, between characters */
	size_t len;
	jmp_buf full;
};

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
		bool cold = i + 1 == HP_ARRAY_SIZE(clone_suffixes);

		while (at && cold && at[5] != '\0' && at[5] != '.') /* ".colder" */
			at = strstr(at + 1, clone_suffixes[i]);
		if (!at)
			continue;
		*ret_cold |= cold;
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

static void take_piece(const char *piece, size_t len, void *arg)
{
	struct pieces *pieces = arg;
	size_t room = sizeof(pieces->text) - 1 - pieces->len;
	size_t n = len < room ? len : room;

	if (n)
		memcpy(pieces->text + pieces->len, piece, n); /* of none, it is NULL at times */
	pieces->len += n;
	pieces->text[pieces->len] = '\0';
	if (n == room)
		longjmp(pieces->full, 1);
}

/* False: @stem is no mangled name. */
static bool demangle(const char *stem, struct pieces *pieces)
{
	*pieces->text = '\0';
	pieces->len = 0;
	if (setjmp(pieces->full))
		return true;
	/* Fails for what only looks like Rust. */
	if ((strncmp(stem, "_R", 2) == 0 || strncmp(stem, "_ZN", 3) == 0) &&
	    rust_demangle_callback(stem, 0, take_piece, pieces))
		return true;
	*pieces->text = '\0';
	pieces->len = 0;
	return strncmp(stem, "_Z", 2) == 0 &&
	       cplus_demangle_v3_callback(stem, DMGL_PARAMS | DMGL_ANSI, take_piece, pieces);
}

void hp_demangle(const char *raw, char buf[HP_NAME_MAX], bool *ret_cold)
{
	struct pieces pieces;
	char stem[MAX_RAW];
	const char *version = strchr(raw, '@');
	size_t len = stem_length(raw, ret_cold);

	if (version && version > raw && (size_t)(version - raw) < len)
		len = (size_t)(version - raw);
	if (len >= sizeof(stem))
		len = sizeof(stem) - 1;
	memcpy(stem, raw, len);
	stem[len] = '\0';
	copy_clean(demangle(stem, &pieces) ? pieces.text : stem, buf);
}
