#pragma once

#include <stdint.h>
#include <sys/types.h>

struct hp_flight_context;
struct hp_functions_flight;

/* The task iterator of calls in progress. Engine thread only. */

/* Binds the program to process @pid, 0 = to none (it filters anyway): a descriptor that the caller closes, or negative errno. */
int hp_functions_flight_attach(int prog_fd, pid_t pid);
/* Reads all threads into @flight. 0 or negative errno; then it holds what was read so far. */
int hp_functions_flight_read(int link_fd, const struct hp_flight_context *context, uint64_t now_ns,
			     struct hp_functions_flight *flight);
