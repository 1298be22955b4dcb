/* Threads that end inside probed calls: pthread_exit, cancellation, a bare exit system call; cleanup must still run. */
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "matrix.h"

#define NTHREADS 4

MX_FUNCTION(fn_work)
MX_FUNCTION(fn_exits)
MX_FUNCTION(fn_exits_below)
MX_FUNCTION(fn_cancelled)
MX_FUNCTION(fn_dies)

static uint64_t cleaned;

static void clean(void *arg)
{
	__atomic_fetch_add(&cleaned, (uint64_t)(uintptr_t)arg, __ATOMIC_RELAXED);
}

MX_TRACED uint64_t fn_work(uint64_t x)
{
	MX_ENTER(fn_work);
	return x + 1;
}

MX_TRACED void fn_exits_below(int n)
{
	MX_ENTER(fn_exits_below);
	MX_ADD(fn_exits_below, left, 1);
	pthread_cleanup_push(clean, (void *)1);
	if (n == 0)
		pthread_exit((void *)3);
	if (n > 0)
		fn_exits_below(n - 1);
	pthread_cleanup_pop(0);
}

MX_TRACED void *fn_exits(void *arg)
{
	MX_ENTER(fn_exits);
	MX_ADD(fn_exits, left, 1);
	for (uint64_t i = 0; i < (uintptr_t)arg; i = fn_work(i))
		;
	fn_exits_below(4);
	MX_NO_TAIL_CALL();
	return NULL;
}

MX_TRACED void *fn_cancelled(void *arg)
{
	int pipe = *(int *)arg;
	char c;

	MX_ENTER(fn_cancelled);
	MX_ADD(fn_cancelled, left, 1);
	pthread_cleanup_push(clean, (void *)100);
	while (read(pipe, &c, 1) >= 0)
		fn_work(1);
	pthread_cleanup_pop(0);
	return NULL;
}

MX_TRACED void *fn_dies(void *arg)
{
	MX_ENTER(fn_dies);
	MX_ADD(fn_dies, left, 1);
	fn_work((uintptr_t)arg);
	syscall(SYS_exit, 0);
	MX_NO_TAIL_CALL();
	return NULL;
}

MX_UNIT(threads)
{
	pthread_t threads[NTHREADS], cancelled, dying;
	uint64_t wrong = 0;
	void *result;
	int ends[2];

	for (unsigned i = 0; i < rounds; i++) {
		cleaned = 0;
		wrong += pipe(ends) != 0;
		pthread_create(&cancelled, NULL, fn_cancelled, &ends[0]);
		for (int k = 0; k < NTHREADS; k++)
			pthread_create(&threads[k], NULL, fn_exits, (void *)100);
		pthread_create(&dying, NULL, fn_dies, NULL);
		wrong += write(ends[1], "x", 1) != 1;
		for (int k = 0; k < NTHREADS; k++) {
			pthread_join(threads[k], &result);
			wrong += result != (void *)3;
		}
		pthread_join(dying, NULL);
		while (__atomic_load_n(&mx_of_fn_cancelled.entries, __ATOMIC_RELAXED) <= i)
			;
		pthread_cancel(cancelled);
		pthread_join(cancelled, &result);
		wrong += result != PTHREAD_CANCELED || cleaned != 5 * NTHREADS + 100;
		close(ends[0]);
		close(ends[1]);
	}
	return wrong;
}
