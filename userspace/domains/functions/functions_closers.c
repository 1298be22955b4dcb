#include "domains/functions/functions_closers.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "domains/functions/functions_haste.h"
#include "probe/perflinks.h"

/* What a thread closes. */
struct closing {
	int pid; /* the target */
	int fd;  /* -1 = none */
	struct hp_perf_links *perf;
};

static void close_all(const struct closing *closing)
{
	if (closing->fd >= 0)
		close(closing->fd);
	hp_perf_links_free(closing->perf);
}

static void *run(void *arg)
{
	struct closing *closing = arg;
	struct hp_haste haste;

	hp_haste_begin(&haste, closing->pid);
	close_all(closing);
	free(closing);
	return NULL;
}

/* Threads that are done keep their stacks until somebody joins them. */
static void reap(struct hp_functions_closers *closers)
{
	size_t kept = 0;

	hp_vec_each(thread, &closers->threads) {
		if (pthread_tryjoin_np(*thread, NULL))
			closers->threads.data[kept++] = *thread;
	}
	closers->threads.len = kept;
}

/* Without a thread, it is closed here. */
static void start(struct hp_functions_closers *closers, struct closing what)
{
	HP_AUTO_FREE struct closing *closing = malloc(sizeof(*closing));
	pthread_t thread;

	reap(closers);
	if (!closing || hp_vec_reserve(&closers->threads, closers->threads.len + 1) < 0) {
		close_all(&what);
		return;
	}
	*closing = what;
	if (pthread_create(&thread, NULL, run, closing)) {
		close_all(&what);
		return;
	}
	(void)HP_TAKE_PTR(closing);
	closers->threads.data[closers->threads.len++] = thread;
}

void hp_functions_closers_link(struct hp_functions_closers *closers, int fd)
{
	start(closers, (struct closing){.pid = closers->pid, .fd = fd});
}

void hp_functions_closers_perf(struct hp_functions_closers *closers, struct hp_perf_links *links)
{
	start(closers, (struct closing){.pid = closers->pid, .fd = -1, .perf = links});
}

void hp_functions_closers_follow(struct hp_functions_closers *closers)
{
	if (closers->threads.len)
		hp_haste_follow(closers->threads.data[closers->threads.len - 1], closers->pid);
}

void hp_functions_closers_join(struct hp_functions_closers *closers)
{
	hp_vec_each(thread, &closers->threads)
		pthread_join(*thread, NULL);
	closers->threads.len = 0;
}

void hp_functions_closers_deinit(struct hp_functions_closers *closers)
{
	hp_functions_closers_join(closers);
	hp_vec_free(&closers->threads);
}
