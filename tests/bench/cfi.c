/* Unwind tables of the files named, as elf/cfi.h builds them: one line of JSON each. Built for tests/bench/run.py. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "elf/cfi.h"
#include "elf/cfi_file.h"

#define ROUNDS 9

static int by_value(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

/* The child's work is not ours: its time is elapsed time; without a child it is that of the CPU. */
static uint64_t now(int sandboxed)
{
	struct timespec time;

	clock_gettime(sandboxed ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Median of @load's times, the table of its last run. */
static int measure(int fd, const char *name, int sandboxed, uint64_t *ret_ns,
		   struct hp_cfi *ret_cfi)
{
	uint64_t times[ROUNDS];
	struct hp_err err = {0};
	int r;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t start = now(sandboxed);

		r = sandboxed ? hp_cfi_load(fd, name, ret_cfi, &err)
			      : hp_cfi_file_read(fd, ret_cfi);
		times[i] = now(sandboxed) - start;
		if (r < 0) {
			fprintf(stderr, "%s: %s\n", name, err.text);
			return r;
		}
		if (i + 1 < ROUNDS)
			hp_cfi_deinit(ret_cfi);
	}
	qsort(times, ROUNDS, sizeof(times[0]), by_value);
	*ret_ns = times[ROUNDS / 2];
	return 0;
}

static int show(const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	size_t kinds[HP_UNWIND_SIGNAL + 1] = {0}, bytes;
	struct hp_cfi cfi, again;
	uint64_t whole, inner;

	if (fd < 0 || measure(fd, name, 1, &whole, &cfi) < 0)
		return 1;
	if (measure(fd, name, 0, &inner, &again) < 0)
		return 1;
	hp_vec_each(row, &cfi.rows)
		kinds[cfi.rules.data[HP_UNWIND_ROW_RULE(*row)].cfa]++;
	bytes = cfi.rows.len * sizeof(*cfi.rows.data) +
		cfi.pages.len * sizeof(struct hp_unwind_page) +
		cfi.rules.len * sizeof(*cfi.rules.data);
	printf("{\"file\":\"%s\",\"ms\":%.2f,\"cpu_ms\":%.2f,\"rows\":%zu,\"rules\":%zu,\"pages\":%zu,"
	       "\"bytes_per_row\":%.2f,\"unknown_rows\":%zu}\n",
	       name, (double)whole / 1e6, (double)inner / 1e6, cfi.rows.len, cfi.rules.len,
	       cfi.pages.len, cfi.rows.len ? (double)bytes / (double)cfi.rows.len : 0,
	       kinds[HP_UNWIND_UNKNOWN]);
	hp_cfi_deinit(&again);
	hp_cfi_deinit(&cfi);
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	int r = 0;

	for (int i = 1; i < argc; i++)
		r |= show(argv[i]);
	return r;
}
