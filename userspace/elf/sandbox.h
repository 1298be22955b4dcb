#pragma once

#include <stddef.h>
#include <stdint.h>

struct hp_err;

/*
 * Runs @fn in a child process that has left our privileges, with caps on memory, CPU time and output, and
 * hands back what it wrote (architecture 4.7). The child shares our open descriptors for reading, but may
 * open nothing that the user nobody may not.
 */
struct hp_sandbox_limits {
	/* Address space; not enforced under AddressSanitizer, which reserves terabytes. */
	uint64_t memory_bytes;
	uint64_t output_bytes;
	unsigned seconds; /* CPU and wall time */
};

/*
 * @fn returns 0 and its result (malloc'ed; freed by the child's end), or a negative errno, which is passed on.
 * 0 and *@ret_data (caller frees), -ETIMEDOUT, -E2BIG (output), -EBADMSG (the child crashed), or @fn's code.
 */
int hp_sandbox_run(int (*fn)(void *arg, void **ret_data, size_t *ret_size), void *arg,
		   const struct hp_sandbox_limits *limits, void **ret_data, size_t *ret_size);
