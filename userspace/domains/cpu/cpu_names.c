#include "domains/cpu/cpu_names.h"

#include <errno.h>
#include <string.h>

#include "base/map.h"
#include "domains/cpu/cpu_stacks.h"

#define FRESH_NS  10000000000ull
#define MAX_NAMES 65536 /* threads that come and go for ever: then start over */

struct name {
	char text[sizeof(((struct hp_cpu_thread *)NULL)->name)];
	uint64_t read_ns;
};

struct hp_cpu_names {
	struct hp_map *index; /* tid -> name */
	HP_VEC(struct name) names;
};

int hp_cpu_names_new(struct hp_cpu_names **ret_names)
{
	HP_AUTO(hp_cpu_names) struct hp_cpu_names *names = calloc(1, sizeof(*names));

	if (!names || hp_map_new(&names->index) < 0)
		return -ENOMEM;
	*ret_names = HP_TAKE_PTR(names);
	return 0;
}

void hp_cpu_names_free(struct hp_cpu_names *names)
{
	if (!names)
		return;
	hp_map_free(names->index);
	hp_vec_free(&names->names);
	free(names);
}

/* NULL: out of memory. */
static struct name *find(struct hp_cpu_names *names, uint32_t tid)
{
	const struct name fresh = {0};
	uint64_t at = names->names.len;

	if (hp_map_get(names->index, tid, &at))
		return &names->names.data[at];
	if (names->names.len >= MAX_NAMES) {
		hp_map_clear(names->index);
		names->names.len = at = 0;
	}
	if (hp_vec_push(&names->names, fresh) < 0)
		return NULL;
	if (hp_map_put(names->index, tid, at) < 0) {
		names->names.len--;
		return NULL;
	}
	return &names->names.data[at];
}

void hp_cpu_names_fill(struct hp_cpu_names *names, struct hp_cpu_stacks *stacks, uint64_t now_ns,
		       hp_cpu_name_fn read, void *arg)
{
	hp_vec_each(thread, &stacks->threads) {
		struct name *name = find(names, thread->tid);
		char text[sizeof(name->text)] = "";

		if (!name)
			continue;
		if (!name->read_ns || now_ns - name->read_ns >= FRESH_NS) {
			name->read_ns = now_ns;
			if (read(arg, thread->tid, text, sizeof(text)) == 0)
				memcpy(name->text, text, sizeof(text));
		}
		memcpy(thread->name, name->text, sizeof(name->text));
	}
}
