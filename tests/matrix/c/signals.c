/* Signal handlers that interrupt probed calls and make some themselves; from itself, and from a timer at any moment. */
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "matrix.h"

MX_FUNCTION(fn_interrupted)
MX_FUNCTION(fn_handler)
MX_FUNCTION(fn_in_handler)
MX_FUNCTION(fn_busy)
MX_FUNCTION(fn_tick)

static volatile uint64_t handled, ticks;

MX_TRACED uint64_t fn_in_handler(uint64_t x)
{
	MX_ENTER(fn_in_handler);
	return x + 1;
}

MX_TRACED void fn_handler(int number)
{
	MX_ENTER(fn_handler);
	handled = fn_in_handler(handled);
	/* Once more, on top of itself. */
	if (number == SIGUSR1)
		raise(SIGUSR2);
	MX_NO_TAIL_CALL();
}

MX_TRACED uint64_t fn_interrupted(uint64_t x)
{
	MX_ENTER(fn_interrupted);
	kill(getpid(), SIGUSR1);
	MX_NO_TAIL_CALL();
	return x * 2;
}

MX_TRACED void fn_tick(int number)
{
	(void)number;
	MX_ENTER(fn_tick);
	ticks = fn_in_handler(ticks);
	MX_NO_TAIL_CALL();
}

MX_TRACED uint64_t fn_busy(uint64_t x)
{
	MX_ENTER(fn_busy);
	for (volatile int i = 0; i < 500; i++)
		x = x * 3 + 1;
	return x;
}

MX_UNIT(signals)
{
	struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
	uint64_t wrong = 0, want = fn_busy(1);

	handled = ticks = 0;
	signal(SIGUSR1, fn_handler);
	signal(SIGUSR2, fn_handler);
	signal(SIGALRM, fn_tick);
	for (unsigned i = 0; i < rounds; i++)
		wrong += fn_interrupted(i) != 2 * i;
	setitimer(ITIMER_REAL, &often, NULL);
	for (unsigned i = 0; i < 100 * rounds || ticks < 5; i++)
		wrong += fn_busy(1) != want;
	setitimer(ITIMER_REAL, &never, NULL);
	signal(SIGALRM, SIG_IGN);
	return wrong + (handled != 2 * rounds);
}
