/*
 * killed HOW: the whole process ends while THREADS threads are inside probed calls: "exit" by exit() inside one, "_exit" by
 * exit_group, "kill" by SIGKILL to itself, "abort" by SIGABRT, "exec" by replacing itself with a program that ends with 7.
 */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "matrix.h"

#define THREADS 4

MX_FUNCTION(fn_ends)
MX_FUNCTION(fn_stuck)
MX_FUNCTION(fn_deeper)

static sem_t inside;

void mx_register(struct mx_counter *counter)
{
	(void)counter;
}

MX_TRACED void fn_deeper(void)
{
	MX_ENTER(fn_deeper);
	sem_post(&inside);
	for (;;)
		pause();
}

MX_TRACED void *fn_stuck(void *arg)
{
	MX_ENTER(fn_stuck);
	fn_deeper();
	MX_NO_TAIL_CALL();
	return arg;
}

MX_TRACED void fn_ends(const char *how)
{
	MX_ENTER(fn_ends);
	if (strcmp(how, "exit") == 0)
		exit(7);
	else if (strcmp(how, "_exit") == 0)
		_exit(7);
	else if (strcmp(how, "kill") == 0)
		kill(getpid(), SIGKILL);
	else if (strcmp(how, "abort") == 0)
		abort();
	else
		execl("/bin/sh", "sh", "-c", "exit 7", (char *)NULL);
	MX_NO_TAIL_CALL();
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	char line[16];

	printf("{\"ready\":true}\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin) || argc < 2)
		return 1;
	sem_init(&inside, 0, 0);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, fn_stuck, NULL);
	for (int i = 0; i < THREADS; i++)
		sem_wait(&inside);
	fn_ends(argv[1]);
	return 1;
}
