#include "target/codemap.h"

#include <errno.h>

#include "base/vec.h"

/* Each run has more than twice the ranges of the one above it. */
#define MAX_RUNS 40

struct range {
	uint64_t start, end;
	uint32_t code;
};

struct run { /* sorted, without overlaps */
	HP_VEC(struct range) ranges;
};

struct hp_codemap {
	struct run runs[MAX_RUNS]; /* the newest last */
	size_t nruns;
};

int hp_codemap_new(struct hp_codemap **ret_map)
{
	struct hp_codemap *map = calloc(1, sizeof(*map));

	if (!map)
		return -ENOMEM;
	*ret_map = map;
	return 0;
}

void hp_codemap_free(struct hp_codemap *map)
{
	if (!map)
		return;
	for (size_t i = 0; i < map->nruns; i++)
		hp_vec_free(&map->runs[i].ranges);
	free(map);
}

/* There is room. */
static void put(struct run *run, uint64_t start, uint64_t end, uint32_t code)
{
	if (start < end)
		run->ranges.data[run->ranges.len++] = (struct range){start, end, code};
}

/* What is seen from above of @below under @above. */
static int overlay(const struct run *below, const struct run *above, struct run *ret_run)
{
	const struct range *under = below->ranges.data, *end = under + below->ranges.len;
	struct run run = {0};
	uint64_t from = 0; /* below it all is decided */

	if (hp_vec_reserve(&run.ranges, below->ranges.len + 2 * above->ranges.len) < 0)
		return -ENOMEM;
	hp_vec_each(over, &above->ranges) {
		for (; under < end && under->start < over->start; under++) {
			put(&run, under->start > from ? under->start : from,
			    under->end < over->start ? under->end : over->start, under->code);
			if (under->end > over->start)
				break; /* it goes on, perhaps even behind @over */
		}
		put(&run, over->start, over->end, over->code);
		from = over->end;
		while (under < end && under->end <= from)
			under++;
	}
	for (; under < end; under++)
		put(&run, under->start > from ? under->start : from, under->end, under->code);
	*ret_run = run;
	return 0;
}

static int merge_top(struct hp_codemap *map)
{
	struct run *above = &map->runs[map->nruns - 1], *below = above - 1, merged;
	int r = overlay(below, above, &merged);

	if (r < 0)
		return r;
	hp_vec_free(&above->ranges);
	hp_vec_free(&below->ranges);
	*below = merged;
	map->nruns--;
	return 0;
}

static bool is_due(const struct hp_codemap *map)
{
	return map->nruns >= 2 &&
	       map->runs[map->nruns - 1].ranges.len * 2 >= map->runs[map->nruns - 2].ranges.len;
}

int hp_codemap_add(struct hp_codemap *map, uint64_t start, uint64_t size, uint32_t code)
{
	uint64_t end;
	int r;

	if (size == 0 || __builtin_add_overflow(start, size, &end))
		return -EINVAL;
	if (map->nruns && map->runs[0].ranges.len >= HP_CODEMAP_MAX)
		return -E2BIG;
	if (map->nruns == MAX_RUNS) /* after a merge that found no memory */
		return -ENOMEM;
	map->runs[map->nruns] = (struct run){0};
	r = hp_vec_push(&map->runs[map->nruns].ranges, ((struct range){start, end, code}));
	if (r < 0)
		return r;
	map->nruns++;
	/* Without memory for it the runs stay apart, which only makes lookups slower. */
	while (is_due(map) && merge_top(map) == 0)
		;
	return 0;
}

static const struct range *find(const struct run *run, uint64_t addr)
{
	size_t low = 0, high = run->ranges.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (run->ranges.data[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low && addr < run->ranges.data[low - 1].end ? &run->ranges.data[low - 1] : NULL;
}

bool hp_codemap_find(const struct hp_codemap *map, uint64_t addr, uint32_t *ret_code)
{
	for (size_t i = map->nruns; i-- > 0;) {
		const struct range *range = find(&map->runs[i], addr);

		if (range) {
			*ret_code = range->code;
			return true;
		}
	}
	return false;
}
