#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Runs a function over an open file in a child process that has left our privileges, with caps on memory,
 * time and output, and hands back what it wrote (architecture 4.7).
 *
 * A process with threads cannot fork a child that allocates: another thread may hold the allocator's lock at
 * that moment, for ever in the child. So server processes are forked once, while we have one thread; they
 * fork the children and end with us.
 *
 * One child runs at a time in each lane, so at most HP_SANDBOX_LANES times the largest cap on memory is in use. Unwind
 * tables have a lane of their own: the symbols of one large program take seconds, and stacks that are taken
 * meanwhile would stay without tables.
 */
enum hp_sandbox_lane { HP_SANDBOX_SYMBOLS, HP_SANDBOX_TABLES, HP_SANDBOX_LANES };

struct hp_sandbox_limits {
	enum hp_sandbox_lane lane;
	uint64_t
		memory_bytes; /* address space; not under AddressSanitizer, which reserves terabytes */
	uint64_t output_bytes;
	unsigned seconds; /* CPU and wall time */
};

/*
 * Result malloc'ed, or a negative errno. Runs in the child; @fd is the file, @second_fd one that belongs to it
 * or -1.
 */
typedef int (*hp_sandbox_fn)(int fd, int second_fd, void **ret_data, size_t *ret_size);

/*
 * Forks the servers; call before the first thread. Without it, the first run in a lane forks its own. 0 or negative errno.
 */
int hp_sandbox_start(void);
/* Ends the servers and reaps them; a later run starts another. */
void hp_sandbox_stop(void);

/*
 * 0 and *@ret_data (caller frees); -ETIMEDOUT (also for a child that the kernel killed), -E2BIG (output), -EBADMSG
 * (the child crashed), -EPIPE (the server is gone), or @fn's own code. Any thread; waits for the lane.
 */
int hp_sandbox_run(hp_sandbox_fn fn, int fd, int second_fd, const struct hp_sandbox_limits *limits,
		   void **ret_data, size_t *ret_size);
/*
 * Kills the children that run @fn now, if any; such a run gives -ETIMEDOUT. Does not wait; a child that is just being
 * forked is missed. Any thread.
 */
void hp_sandbox_interrupt(hp_sandbox_fn fn);
