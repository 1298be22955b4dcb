/*
 * Records of requests and releases with any content and length (two bytes of length each): the books keep their equation, nothing is
 * negative, and an answer can be made from them.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "domains/alloc/alloc_heap.h"
#include "domains/alloc/alloc_stacks.h"

static void add(struct hp_alloc_stacks *stacks, const uint8_t *data, size_t size)
{
	struct hp_event *record =
		malloc(size ? size : 1); /* of its size: a read behind it is seen */

	if (!record)
		abort();
	memcpy(record, data, size);
	if (size >= sizeof(*record))
		hp_alloc_stacks_add(stacks, record, size);
	free(record);
}

static int check(void *arg, const struct hp_alloc_ledger *ledger,
		 const struct hp_alloc_sites *sites)
{
	(void)arg, (void)sites;
	hp_vec_each(stack, &ledger->stacks) {
		const struct hp_alloc_sum *sums = (*stack)->account.sums;

		assert(sums[HP_ALLOC_REQUESTED].samples ==
		       sums[HP_ALLOC_LIVE].samples + sums[HP_ALLOC_RELEASED].samples +
			       sums[HP_ALLOC_GONE].samples + sums[HP_ALLOC_UNTRACKED].samples);
		for (int i = 0; i < HP_ALLOC_NSUMS; i++)
			assert(sums[i].bytes >= 0 && sums[i].count >= 0);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t then_ns[2] = {1, 2};
	struct hp_alloc_stacks *stacks = NULL;
	struct hp_alloc_heap heap = {0};

	if (hp_alloc_stacks_new(0, 1, &stacks) < 0)
		abort();
	while (size >= 2) {
		size_t len = (size_t)(data[0] | data[1] << 8) % 1200;

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		add(stacks, data, len);
		data += len;
		size -= len;
	}
	hp_alloc_stacks_settle(stacks, 0, true);
	hp_alloc_stacks_look(stacks, check, NULL);
	if (hp_alloc_heap_take(stacks, then_ns, 2, &heap) == 0)
		hp_alloc_heap_deinit(&heap);
	hp_alloc_stacks_close(stacks);
	hp_alloc_stacks_free(stacks);
	return 0;
}
