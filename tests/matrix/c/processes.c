/* Children: fork inside a probed call, vfork, and calls that only the child makes: they are not the target's. */
#include <sys/wait.h>
#include <unistd.h>

#include "matrix.h"

MX_FUNCTION(fn_forks)
MX_FUNCTION(fn_both)
MX_FUNCTION(fn_vforks)

MX_TRACED uint64_t fn_both(uint64_t x)
{
	MX_ENTER(fn_both);
	return x + 1;
}

/* Returns twice, once in each process. */
MX_TRACED pid_t fn_forks(uint64_t *x)
{
	pid_t pid;

	MX_ENTER(fn_forks);
	pid = fork();
	*x = fn_both(*x);
	MX_NO_TAIL_CALL();
	return pid;
}

MX_TRACED pid_t fn_vforks(void)
{
	pid_t pid;

	MX_ENTER(fn_vforks);
	pid = vfork();
	if (pid == 0)
		_exit(7);
	MX_NO_TAIL_CALL();
	return pid;
}

static int status_of(pid_t pid)
{
	int status = -1;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

MX_UNIT(processes)
{
	uint64_t wrong = 0, x;
	pid_t pid;

	for (unsigned i = 0; i < rounds; i++) {
		x = i;
		pid = fn_forks(&x);
		if (pid == 0)
			_exit(fn_both(x) == i + 2 ? 5 : 6);
		wrong += x != i + 1 || status_of(pid) != 5;
		wrong += status_of(fn_vforks()) != 7;
	}
	return wrong;
}
