/* Where code of our own lies in its file. */
#pragma once

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

/* File offset of @code by /proc/self/maps; 0: it is in no mapped file. */
static inline uint64_t file_offset_of(const void *code)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uint64_t start, end, offset, found = 0;
	char line[1024];

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &start, &end, &offset) ==
			    3 &&
		    (uintptr_t)code >= start && (uintptr_t)code < end)
			found = (uintptr_t)code - start + offset;
	}
	if (maps)
		fclose(maps);
	return found;
}
