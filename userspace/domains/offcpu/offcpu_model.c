#include "domains/offcpu/offcpu_model.h"

#include <errno.h>
#include <stdbool.h>

#include "base/map.h"
#include "base/vec.h"

#define MISSES_MAX      40 /* 10 s */
#define GONE_REMEMBERED 65536

struct hp_offcpu_model {
	HP_VEC(struct hp_offcpu_thread) threads;
	HP_VEC(unsigned) misses; /* of the thread at the same place */
	struct hp_map *index;    /* identity -> place */
	struct hp_map *
		gone; /* identity -> 0: its record has come; a reading that began before may still show it */
	struct hp_offcpu_ended ended;
};

static uint64_t identity(const struct hp_offcpu_thread *thread)
{
	return thread->start_ns << 22 ^ thread->hdr.tid;
}

int hp_offcpu_model_new(struct hp_offcpu_model **ret_model)
{
	HP_AUTO(hp_offcpu_model) struct hp_offcpu_model *model = calloc(1, sizeof(*model));
	int r;

	if (!model)
		return -ENOMEM;
	r = hp_map_new(&model->index);
	if (r == 0)
		r = hp_map_new(&model->gone);
	if (r < 0)
		return r;
	*ret_model = HP_TAKE_PTR(model);
	return 0;
}

void hp_offcpu_model_free(struct hp_offcpu_model *model)
{
	if (!model)
		return;
	hp_vec_free(&model->threads);
	hp_vec_free(&model->misses);
	hp_map_free(model->index);
	hp_map_free(model->gone);
	free(model);
}

void hp_offcpu_times_add(struct hp_offcpu_times *sum, const struct hp_offcpu_times *times)
{
	sum->on_ns += times->on_ns;
	sum->queue_ns += times->queue_ns;
	sum->switches += times->switches;
	sum->missed += times->missed;
	for (int i = 0; i < HP_NWAITS; i++) {
		sum->blocked_ns[i] += times->blocked_ns[i];
		sum->waits[i] += times->waits[i];
	}
}

uint64_t hp_offcpu_times_blocked(const struct hp_offcpu_times *times)
{
	uint64_t sum = 0;

	for (int i = HP_WAIT_PREEMPTED + 1; i < HP_NWAITS; i++)
		sum += times->blocked_ns[i];
	return sum;
}

void hp_offcpu_model_begin(struct hp_offcpu_model *model)
{
	hp_vec_each(misses, &model->misses)
		(*misses)++;
}

static bool is_sound(const struct hp_offcpu_thread *thread)
{
	return thread->wait < HP_NWAITS && thread->state <= HP_OFFCPU_DEAD &&
	       thread->base_ns <= thread->hdr.ts_ns;
}

int hp_offcpu_model_add(struct hp_offcpu_model *model, const struct hp_offcpu_thread *thread)
{
	uint64_t id = identity(thread), place;
	int r;

	if (!is_sound(thread))
		return -EINVAL;
	if (hp_map_get(model->gone, id, NULL))
		return 0;
	if (hp_map_get(model->index, id, &place)) {
		model->threads.data[place] = *thread;
		model->misses.data[place] = 0;
		return 0;
	}
	r = hp_vec_reserve(&model->threads, model->threads.len + 1);
	if (r == 0)
		r = hp_vec_reserve(&model->misses, model->misses.len + 1);
	if (r == 0)
		r = hp_map_put(model->index, id, model->threads.len);
	if (r < 0)
		return r;
	model->threads.data[model->threads.len++] = *thread;
	model->misses.data[model->misses.len++] = 0;
	return 0;
}

static void count_ended(struct hp_offcpu_model *model, const struct hp_offcpu_thread *thread)
{
	model->ended.threads++;
	model->ended.elapsed_ns += thread->hdr.ts_ns - thread->base_ns;
	model->ended.cpu_ns += thread->cpu_ns;
	hp_offcpu_times_add(&model->ended.times, &thread->times);
}

/* The last one takes its place. */
static void forget(struct hp_offcpu_model *model, size_t place)
{
	size_t last = model->threads.len - 1;

	hp_map_del(model->index, identity(&model->threads.data[place]), NULL);
	if (place != last) {
		model->threads.data[place] = model->threads.data[last];
		model->misses.data[place] = model->misses.data[last];
		hp_map_put(model->index, identity(&model->threads.data[place]), place);
	}
	model->threads.len = model->misses.len = last;
}

void hp_offcpu_model_end(struct hp_offcpu_model *model)
{
	for (size_t i = model->threads.len; i-- > 0;) {
		if (model->misses.data[i] < MISSES_MAX)
			continue;
		count_ended(model, &model->threads.data[i]);
		model->ended.unfinished++;
		forget(model, i);
	}
	/* Only a reading that ran while the record came can still show the thread. */
	if (hp_map_len(model->gone) > GONE_REMEMBERED)
		hp_map_clear(model->gone);
}

int hp_offcpu_model_gone(struct hp_offcpu_model *model, const struct hp_event *event, size_t size)
{
	const struct hp_offcpu_thread *thread = (const void *)event;
	uint64_t place;
	int r;

	if (event->kind != HP_EVENT_OFFCPU_GONE || size < sizeof(*thread) || !is_sound(thread))
		return -EINVAL;
	r = hp_map_put(model->gone, identity(thread), 0);
	if (r < 0)
		return r;
	if (r > 0) /* twice the same: no thread ends twice */
		return -EINVAL;
	if (hp_map_get(model->index, identity(thread), &place))
		forget(model, place);
	count_ended(model, thread);
	return 0;
}

const struct hp_offcpu_thread *hp_offcpu_model_threads(const struct hp_offcpu_model *model,
						       size_t *ret_len)
{
	*ret_len = model->threads.len;
	return model->threads.data;
}

const struct hp_offcpu_ended *hp_offcpu_model_ended(const struct hp_offcpu_model *model)
{
	return &model->ended;
}
