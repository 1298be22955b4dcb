#include "engine/request.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "engine/mailbox.h"

#define PATIENCE_NS 250000000

struct hp_request_wait {
	atomic_uint refs; /* asking thread and letter */
	pthread_mutex_t lock;
	pthread_cond_t answered;
	bool done;
	int result;
	int (*fn)(void *arg);
	void *arg;
	void (*free_arg)(void *arg);
};

void hp_request_free(struct hp_request_wait *wait)
{
	if (!wait || atomic_fetch_sub(&wait->refs, 1) != 1)
		return;
	wait->free_arg(wait->arg);
	pthread_mutex_destroy(&wait->lock);
	pthread_cond_destroy(&wait->answered);
	free(wait);
}

static void run(void *arg)
{
	struct hp_request_wait *wait = arg;
	int result = wait->fn(wait->arg);

	pthread_mutex_lock(&wait->lock);
	wait->result = result;
	wait->done = true;
	pthread_cond_signal(&wait->answered);
	pthread_mutex_unlock(&wait->lock);
	hp_request_free(wait);
}

static int await(struct hp_request_wait *wait)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += PATIENCE_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&wait->lock);
	while (!wait->done && r == 0)
		r = pthread_cond_timedwait(&wait->answered, &wait->lock, &until);
	r = wait->done ? wait->result : -ETIMEDOUT;
	pthread_mutex_unlock(&wait->lock);
	return r;
}

int hp_request_send(struct hp_mailbox *mailbox, int (*fn)(void *arg), void *arg,
		    void (*free_arg)(void *arg), struct hp_request_wait **ret_wait)
{
	struct hp_request_wait *wait = calloc(1, sizeof(*wait));
	pthread_condattr_t monotonic;

	if (!wait) {
		free_arg(arg);
		return -ENOMEM;
	}
	atomic_init(&wait->refs, 2);
	wait->fn = fn;
	wait->arg = arg;
	wait->free_arg = free_arg;
	pthread_mutex_init(&wait->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&wait->answered, &monotonic);
	pthread_condattr_destroy(&monotonic);
	*ret_wait = wait;
	if (hp_mailbox_post(mailbox, run, wait) < 0) {
		atomic_fetch_sub(&wait->refs, 1);
		return -ENOMEM;
	}
	return await(wait);
}
