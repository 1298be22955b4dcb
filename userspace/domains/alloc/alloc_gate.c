#include "domains/alloc/alloc_gate.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

struct hp_alloc_gate {
	pthread_mutex_t lock;
	unsigned max[2], inside[2]; /* by enum hp_alloc_use */
};

int hp_alloc_gate_new(unsigned max_sleepers, unsigned max_writers, struct hp_alloc_gate **ret_gate)
{
	struct hp_alloc_gate *gate = calloc(1, sizeof(*gate));

	if (!gate)
		return -ENOMEM;
	pthread_mutex_init(&gate->lock, NULL);
	gate->max[HP_ALLOC_SLEEPS] = max_sleepers;
	gate->max[HP_ALLOC_WRITES] = max_writers;
	*ret_gate = gate;
	return 0;
}

void hp_alloc_gate_free(struct hp_alloc_gate *gate)
{
	if (!gate)
		return;
	pthread_mutex_destroy(&gate->lock);
	free(gate);
}

int hp_alloc_gate_enter(struct hp_alloc_gate *gate, enum hp_alloc_use use)
{
	bool full;

	pthread_mutex_lock(&gate->lock);
	full = gate->inside[use] >= gate->max[use];
	gate->inside[use] += !full;
	pthread_mutex_unlock(&gate->lock);
	return full ? -EBUSY : 0;
}

void hp_alloc_gate_leave(struct hp_alloc_gate *gate, enum hp_alloc_use use)
{
	pthread_mutex_lock(&gate->lock);
	assert(gate->inside[use]);
	gate->inside[use]--;
	pthread_mutex_unlock(&gate->lock);
}
