/*
 * altstack above|below: signal handlers that call probed functions on a stack of their own, above or below that of the
 * thread they interrupt inside probed calls. Same protocol as main.c, one unit: work.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "matrix.h"

#define STACK   (256 * 1024)
#define UNTIMED (strcmp(place, "above") == 0)

MX_FUNCTION(fn_outer)
MX_FUNCTION(fn_raises)
MX_FUNCTION(fn_on_signal)
MX_FUNCTION(fn_on_signal_inner)

static struct mx_counter *counters[8];
static unsigned ncounters;
static volatile uint64_t handled;
static const char *place;

void mx_register(struct mx_counter *counter)
{
	counters[ncounters++] = counter;
}

MX_TRACED uint64_t fn_on_signal_inner(uint64_t x)
{
	MX_ENTER(fn_on_signal_inner);
	return x + 1;
}

MX_TRACED void fn_on_signal(int number)
{
	(void)number;
	MX_ENTER(fn_on_signal);
	handled = fn_on_signal_inner(handled);
	MX_NO_TAIL_CALL();
}

MX_TRACED uint64_t fn_raises(uint64_t x)
{
	MX_ENTER(fn_raises);
	raise(SIGUSR1);
	MX_NO_TAIL_CALL();
	return x + 1;
}

MX_TRACED uint64_t fn_outer(uint64_t x)
{
	uint64_t y = fn_raises(x) + fn_raises(x + 1);

	MX_ENTER(fn_outer);
	return y;
}

static void *run(void *arg)
{
	unsigned rounds = *(unsigned *)arg;
	uint64_t wrong = 0;

	for (unsigned i = 0; i < rounds; i++)
		wrong += fn_outer(i) != 2 * i + 3;
	return (void *)(wrong + (handled != 2 * rounds));
}

/* The signal stack belongs to the thread, so it is set up there. */
static void *set_up(void *arg)
{
	char *memory = ((char **)arg)[0];
	struct sigaction action = {.sa_handler = fn_on_signal, .sa_flags = SA_ONSTACK};
	stack_t alternate = {.ss_sp = memory, .ss_size = STACK};

	if (sigaltstack(&alternate, NULL) || sigaction(SIGUSR1, &action, NULL))
		abort();
	return run(((char **)arg)[1]);
}

static uint64_t work(unsigned rounds)
{
	/* One mapping, the thread's stack in the half that is not the signal stack's. */
	char *memory =
		mmap(NULL, 2 * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *arguments[] = {memory + (UNTIMED ? STACK : 0), (char *)&rounds};
	pthread_attr_t attributes;
	pthread_t thread;
	void *wrong;

	handled = 0;
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, memory + (UNTIMED ? 0 : STACK), STACK);
	pthread_create(&thread, &attributes, set_up, arguments);
	pthread_join(thread, &wrong);
	munmap(memory, 2 * STACK);
	return (uintptr_t)wrong;
}

int main(int argc, char **argv)
{
	char line[16];

	place = argc > 2 ? argv[2] : "below";
	printf("{\"ready\":true}\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) && strcmp(line, "exit\n") != 0) {
		uint64_t wrong = work((unsigned)atoi(argv[1]));

		printf("{\"unit\":\"work\",\"wrong\":%lu,\"functions\":{", wrong);
		for (unsigned i = 0; i < ncounters; i++)
			printf("%s\"%s\":[%lu,0,0,0]", i ? "," : "", counters[i]->name,
			       counters[i]->entries);
		printf("}}\n");
		fflush(stdout);
	}
	return 0;
}
