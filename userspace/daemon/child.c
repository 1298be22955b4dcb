#include "daemon/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"

/* In the child: the exec stops with SIGTRAP for our tracer; a failure goes back through the pipe. */
static void exec_child(char **argv, int failed_fd)
{
	sigset_t none;
	int code;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
		execvp(argv[0], argv);
	code = errno;
	if (write(failed_fd, &code, sizeof(code)) < 0)
		_exit(126);
	_exit(127);
}

int hp_child_start(char **argv, pid_t *ret_pid, struct hp_err *err)
{
	int pipe_fds[2], code = 0, status;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return hp_err_set(err, -errno, "cannot start %s: %s", argv[0], hp_err_name(-errno));
	pid = fork();
	if (pid == 0)
		exec_child(argv, pipe_fds[1]);
	close(pipe_fds[1]);
	if (pid < 0) {
		close(pipe_fds[0]);
		return hp_err_set(err, -errno, "cannot start %s: %s", argv[0], hp_err_name(-errno));
	}
	if (read(pipe_fds[0], &code, sizeof(code)) != sizeof(code))
		code = 0;
	close(pipe_fds[0]);
	if (waitpid(pid, &status, 0) < 0 || code || !WIFSTOPPED(status)) {
		if (!code)
			kill(pid, SIGKILL);
		code = code ? code : EIO;
		return hp_err_set(err, -code, "cannot start %s: %s", argv[0], hp_err_name(-code));
	}
	*ret_pid = pid;
	return 0;
}

void hp_child_go(pid_t pid)
{
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

int hp_child_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return 1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
