#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * The directory of one recording, /run/hotpathd/PID-UNIXNANOS, locked while its daemon lives. It outlives the daemon so that
 * its profile can still be opened; the next start removes what no living daemon holds.
 */
struct hp_cpu_session {
	char id[64];
	char dir[96]; /* "" if it could not be made */
	int lock_fd;
};

void hp_cpu_session_open(pid_t pid, struct hp_cpu_session *ret_session);
/* Removes the directory if nothing is in it. */
void hp_cpu_session_close(struct hp_cpu_session *session);
