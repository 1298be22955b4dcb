/* An --allocator SPEC of any bytes: a sentence and nothing added, or roles that make sense and whose text is taken again. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "probe/allocator_pools.h"

static bool is_arg(uint8_t arg)
{
	return arg < 6 || arg == HP_ALLOC_NO_ARG;
}

static void check_role(const struct hp_alloc_role *role)
{
	bool has_size = role->size != HP_ALLOC_NO_ARG, has_block = role->block != HP_ALLOC_NO_ARG;

	assert(is_arg(role->size) && is_arg(role->count) && is_arg(role->block));
	assert(role->call == HP_ALLOC_SYSV && role->generation == 0);
	assert(role->does >= HP_ALLOC_REQUESTS && role->does <= HP_ALLOC_RESIZES);
	assert(has_size == (role->does != HP_ALLOC_RELEASES));
	assert(has_block == (role->does != HP_ALLOC_REQUESTS));
	assert(has_size || role->count == HP_ALLOC_NO_ARG);
}

/* Written out, it means the same. */
static void check_again(const struct hp_allocator_pools *pools, size_t i)
{
	HP_AUTO(hp_allocator_pools) struct hp_allocator_pools *again = NULL;
	const struct hp_alloc_role *role = hp_allocator_pools_role(pools, i), *other;
	static const char *const verbs[] = {"", "alloc", "alloc", "free", "realloc"};
	char args[64] = "", text[1200];
	struct hp_err err = {0};

	if (role->does == HP_ALLOC_RELEASES) {
		snprintf(args, sizeof(args), "%u", role->block + 1);
	} else {
		size_t used = (size_t)snprintf(args, sizeof(args), "size=%u", role->size + 1);

		if (role->count != HP_ALLOC_NO_ARG)
			used += (size_t)snprintf(args + used, sizeof(args) - used, ",count=%u",
						 role->count + 1);
		if (role->block != HP_ALLOC_NO_ARG)
			snprintf(args + used, sizeof(args) - used, ",block=%u", role->block + 1);
	}
	snprintf(text, sizeof(text), "%s=%s(%s)", verbs[role->does],
		 hp_allocator_pools_text(pools, i), args);
	if (hp_allocator_pools_new(&again) < 0)
		return;
	assert(hp_allocator_pools_add(again, text, &err) == 0);
	assert(hp_allocator_pools_len(again) == 1);
	other = hp_allocator_pools_role(again, 0);
	assert(memcmp(role, other, sizeof(*role)) == 0);
	assert(strcmp(hp_allocator_pools_text(pools, i), hp_allocator_pools_text(again, 0)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HP_AUTO(hp_allocator_pools) struct hp_allocator_pools *pools = NULL;
	HP_AUTO_FREE char *text = malloc(size + 1);
	struct hp_err err = {0};
	int r;

	if (!text || size > 5000 || hp_allocator_pools_new(&pools) < 0)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	/* A pattern may be an expensive regular expression, which is fuzz_select's business. */
	if (strchr(text, '/'))
		return 0;
	r = hp_allocator_pools_add(pools, text, &err);
	assert(r == 0 || (r == -EINVAL && err.code == r && err.text[0]));
	assert((r == 0) == (hp_allocator_pools_len(pools) > 0));
	for (size_t i = 0; i < hp_allocator_pools_len(pools); i++) {
		check_role(hp_allocator_pools_role(pools, i));
		check_again(pools, i);
	}
	return 0;
}
