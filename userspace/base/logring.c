#include "base/logring.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct hp_logring {
	size_t cap;      /* power of two: sequence number & (cap - 1) is the slot */
	uint64_t pushed; /* sequence number of the next entry */
	struct hp_log_entry slots[];
};

static size_t held(const struct hp_logring *ring)
{
	return ring->pushed < ring->cap ? ring->pushed : ring->cap;
}

int hp_logring_new(size_t cap, struct hp_logring **ret_ring)
{
	HP_AUTO(hp_logring) struct hp_logring *ring = NULL;
	size_t size;

	assert(ret_ring);
	if (cap == 0 || (cap & (cap - 1)))
		return -EINVAL;
	if (__builtin_mul_overflow(cap, sizeof(ring->slots[0]), &size) ||
	    __builtin_add_overflow(size, sizeof(*ring), &size))
		return -ENOMEM;

	ring = calloc(1, size);
	if (!ring)
		return -ENOMEM;
	ring->cap = cap;

	*ret_ring = HP_TAKE_PTR(ring);
	return 0;
}

void hp_logring_free(struct hp_logring *ring)
{
	free(ring);
}

void hp_logring_push(struct hp_logring *ring, const struct hp_log_entry *entry)
{
	ring->slots[ring->pushed++ & (ring->cap - 1)] = *entry;
}

size_t hp_logring_read(const struct hp_logring *ring, struct hp_log_entry *buf, size_t n)
{
	if (n > held(ring))
		n = held(ring);
	for (size_t i = 0; i < n; i++)
		buf[i] = ring->slots[(ring->pushed - 1 - i) & (ring->cap - 1)];
	return n;
}

uint64_t hp_logring_evicted(const struct hp_logring *ring)
{
	return ring->pushed - held(ring);
}
