/*
 * progress: calls that are in progress while the profiler attaches and while it detaches. At "enter" a thread enters
 * fn_waits, LEVELS deep, and waits there inside a probed leaf's caller; at "leave" it returns from all of them. Prints
 * "inside" and "outside" lines; at the end what was counted since the last "enter".
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "matrix.h"

#define LEVELS 5

MX_FUNCTION(fn_waits)
MX_FUNCTION(fn_leaf)

static sem_t inside, leave;

void mx_register(struct mx_counter *counter)
{
	(void)counter;
}

MX_TRACED uint64_t fn_leaf(uint64_t x)
{
	MX_ENTER(fn_leaf);
	return x + 1;
}

MX_TRACED uint64_t fn_waits(uint64_t n)
{
	uint64_t below;

	MX_ENTER(fn_waits);
	if (n > 1) {
		below = fn_waits(n - 1);
	} else {
		sem_post(&inside);
		sem_wait(&leave);
		below = 0;
	}
	MX_NO_TAIL_CALL();
	return fn_leaf(below) + (n == 0);
}

static void *run(void *arg)
{
	(void)arg;
	return (void *)(uintptr_t)fn_waits(LEVELS);
}

static void say(const char *text)
{
	printf("{\"%s\":true,\"fn_waits\":%lu,\"fn_leaf\":%lu}\n", text, mx_of_fn_waits.entries,
	       mx_of_fn_leaf.entries);
	fflush(stdout);
}

int main(void)
{
	pthread_t thread;
	char line[16];
	void *sum;

	sem_init(&inside, 0, 0);
	sem_init(&leave, 0, 0);
	printf("{\"ready\":true}\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) && strcmp(line, "exit\n") != 0) {
		if (strcmp(line, "enter\n") == 0) {
			pthread_create(&thread, NULL, run, NULL);
			sem_wait(&inside);
			say("inside");
		} else if (strcmp(line, "leave\n") == 0) {
			sem_post(&leave);
			pthread_join(thread, &sum);
			say(sum == (void *)LEVELS ? "outside" : "wrong");
		}
	}
	return 0;
}
