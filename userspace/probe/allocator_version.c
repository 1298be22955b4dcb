#include "probe/allocator_version.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

/* Digits and dots, one or more of each, not ending in a dot; returns its length, 0 = it is none. */
static size_t number_length(const char *text, size_t left)
{
	size_t n = 0, dots = 0;

	while (n < left && n < HP_ALLOCATOR_VERSION_MAX - 1 &&
	       (isdigit((unsigned char)text[n]) || text[n] == '.')) {
		dots += text[n] == '.';
		n++;
	}
	while (n && text[n - 1] == '.') {
		dots--;
		n--;
	}
	return n && isdigit((unsigned char)text[0]) && dots ? n : 0;
}

static bool copy_number(const char *text, size_t left, char ret_version[HP_ALLOCATOR_VERSION_MAX])
{
	size_t n = number_length(text, left);

	memcpy(ret_version, text, n);
	ret_version[n] = '\0';
	return n > 0;
}

/* The number behind the first @mark that has one. */
static bool find_marked(const char *data, size_t size, const char *mark,
			char ret_version[HP_ALLOCATOR_VERSION_MAX])
{
	size_t len = strlen(mark);
	const char *at = data, *end = data + size;

	while ((at = memmem(at, (size_t)(end - at), mark, len))) {
		at += len;
		if (copy_number(at, (size_t)(end - at), ret_version))
			return true;
	}
	return false;
}

/* "5.3.0-0-g54eaed1d": a text of its own, in front of "-<commits since>-g". */
static bool find_jemalloc(const char *data, size_t size, char ret_version[HP_ALLOCATOR_VERSION_MAX])
{
	const char *at = data, *end = data + size;

	while ((at = memmem(at, (size_t)(end - at), "-g", 2))) {
		const char *start = at;
		size_t n;

		while (start > data && start[-1] != '\0' && at - start < 24)
			start--;
		n = number_length(start, (size_t)(at - start));
		if (n && start[n] == '-' && (start == data || start[-1] == '\0'))
			return copy_number(start, n, ret_version);
		at += 2;
	}
	return false;
}

/* musl prints "musl libc (x86_64)\nVersion %s": the number is a text of its own somewhere near. */
static bool find_musl(const char *data, size_t size, char ret_version[HP_ALLOCATOR_VERSION_MAX])
{
	const char *at = data, *end = data + size;

	if (!memmem(data, size, "musl libc", 9))
		return false;
	while ((at = memmem(at, (size_t)(end - at),
			    "\0"
			    "1.",
			    3))) {
		size_t left = (size_t)(end - ++at), n = number_length(at, left);

		if (n >= 5 && n < left && at[n] == '\0')
			return copy_number(at, n, ret_version);
	}
	return false;
}

/* Since 1.18 the build information holds the text itself: 14 bytes of magic, pointer size, flags (2: inline), at 32 its length. */
static bool find_go(const char *data, size_t size, char ret_version[HP_ALLOCATOR_VERSION_MAX])
{
	const char *at = memmem(data, size, "\xff Go buildinf:", 14);

	if (!at || (size_t)(data + size - at) < 36 || !(at[15] & 2) ||
	    memcmp(at + 33, "go", 2) != 0)
		return false;
	return copy_number(at + 35, (size_t)(data + size - at) - 35, ret_version);
}

void hp_allocator_version(const char *family, const void *data, size_t size,
			  char ret_version[HP_ALLOCATOR_VERSION_MAX])
{
	ret_version[0] = '\0';
	if (strcmp(family, "glibc") == 0)
		find_marked(data, size, "release version ", ret_version);
	else if (strcmp(family, "tcmalloc") == 0)
		find_marked(data, size, "gperftools ", ret_version);
	else if (strcmp(family, "jemalloc") == 0)
		find_jemalloc(data, size, ret_version);
	else if (strcmp(family, "musl") == 0)
		find_musl(data, size, ret_version);
	else if (strcmp(family, "Go") == 0)
		find_go(data, size, ret_version);
}
