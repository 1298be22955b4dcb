#pragma once

#include <stdint.h>
#include <sys/types.h>

struct hp_flight_context;
struct hp_functions_flight;

/* The task iterator of calls in progress, and the map of goroutines that are in some. Engine thread only. */
struct hp_flight_sources {
	int link_fd;
	int goroutines_fd; /* -1 = no Go code */
	pid_t pid; /* whose goroutines they are; 0 = of several processes: what they left by a panic cannot be told */
};

/* Binds the program to process @pid, 0 = to none (it filters anyway): a descriptor that the caller closes, or negative errno. */
int hp_functions_flight_attach(int prog_fd, pid_t pid);
/*
 * Reads all threads and goroutines into @flight; the latter for 10 ms at most, the rest counts as left out. 0 or negative errno;
 * then it holds what was read so far.
 */
int hp_functions_flight_read(const struct hp_flight_sources *sources,
			     const struct hp_flight_context *context, uint64_t now_ns,
			     struct hp_functions_flight *flight);
