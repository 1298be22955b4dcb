/* A program of the fixtures, alive until the test is done with it. */
#pragma once

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

struct child {
	pid_t pid;
	int in, out; /* its stdin and stdout; -1 = none */
};

/* False: @path cannot be run. Returns once the program has printed its first line. */
static inline bool child_start(struct child *child, const char *path)
{
	int in[2], out[2];
	char line[64];

	*child = (struct child){.pid = -1, .in = -1, .out = -1};
	if (access(path, X_OK) < 0 || pipe(in) < 0 || pipe(out) < 0)
		return false;
	child->pid = fork();
	if (child->pid == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[1]);
		close(out[0]);
		execl(path, path, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	child->in = in[1];
	child->out = out[0];
	return child->pid > 0 && read(child->out, line, sizeof(line)) > 0;
}

static inline void child_stop(struct child *child)
{
	if (child->pid > 0) {
		kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
	}
	if (child->in >= 0)
		close(child->in);
	if (child->out >= 0)
		close(child->out);
	*child = (struct child){.pid = -1, .in = -1, .out = -1};
}
