/* Text without a NUL and without room behind it, so that the sanitizer sees a read past its end. */
#pragma once

#include <stdlib.h>
#include <string.h>

static inline char *exact_copy(const char *text, size_t len)
{
	char *copy = malloc(len);

	if (!copy)
		abort();
	return memcpy(copy, text, len);
}
