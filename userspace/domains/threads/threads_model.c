#include "domains/threads/threads_model.h"

#include <errno.h>
#include <string.h>

#include "base/map.h"
#include "base/vec.h"

/*
 * A thread that a reading misses, but whose record has not come, waits in `leaving` with its last known
 * figures: the record is sent when the kernel releases the task, a grace period later. After this many
 * readings it is written off: it counts with what is known (its record was lost with a full ring), and a record
 * that comes after all, because something held the task, only corrects its CPU time.
 */
#define LEAVING_READINGS 40
#define GONE_REMEMBERED  65536

struct leaving {
	struct hp_thread_sample last;
	unsigned readings;
};

struct hp_threads_model {
	HP_VEC(struct hp_thread_row) rows, next;
	HP_VEC(struct leaving) leaving;
	struct hp_map *index;       /* identity -> position in rows */
	struct hp_map *gone;        /* identity -> 0: its record has come */
	struct hp_map *written_off; /* identity -> CPU time that it counted with */
	struct hp_threads_totals totals;
};

/* (tid, start time) as one key: threads of one tid start at least microseconds apart. */
static uint64_t identity(const struct hp_thread_sample *sample)
{
	return sample->start_ns << 22 ^ sample->hdr.tid;
}

int hp_threads_model_new(struct hp_threads_model **ret_model)
{
	HP_AUTO(hp_threads_model) struct hp_threads_model *model = calloc(1, sizeof(*model));
	int r;

	if (!model)
		return -ENOMEM;
	r = hp_map_new(&model->index);
	if (r == 0)
		r = hp_map_new(&model->gone);
	if (r == 0)
		r = hp_map_new(&model->written_off);
	if (r < 0)
		return r;
	*ret_model = HP_TAKE_PTR(model);
	return 0;
}

void hp_threads_model_free(struct hp_threads_model *model)
{
	if (!model)
		return;
	hp_vec_free(&model->rows);
	hp_vec_free(&model->next);
	hp_vec_free(&model->leaving);
	hp_map_free(model->index);
	hp_map_free(model->gone);
	hp_map_free(model->written_off);
	free(model);
}

void hp_threads_model_begin(struct hp_threads_model *model, uint64_t now_ns)
{
	model->next.len = 0;
	model->totals.last_reading_ns = now_ns;
	if (!model->totals.first_reading_ns)
		model->totals.first_reading_ns = now_ns;
}

static void update_percent(struct hp_thread_row *row, const struct hp_thread_row *before)
{
	uint64_t now = row->last.hdr.ts_ns, cpu = row->last.cpu_ns;

	if (now <= before->last.hdr.ts_ns || cpu < before->last.cpu_ns || now <= before->first_ns) {
		row->percent = before->percent;
		return;
	}
	row->percent = 100.0 * (double)(cpu - before->last.cpu_ns) /
		       (double)(now - before->last.hdr.ts_ns);
	row->percent_avg =
		100.0 * (double)(cpu - before->first_cpu_ns) / (double)(now - before->first_ns);
	if (row->percent > row->percent_max)
		row->percent_max = row->percent;
	row->has_percent = true;
}

int hp_threads_model_add(struct hp_threads_model *model, const struct hp_thread_sample *sample)
{
	struct hp_thread_row row = {.last = *sample};
	uint64_t position;

	if (hp_map_get(model->gone, identity(sample), NULL))
		return 0; /* released while the reading ran */
	row.first_ns = sample->hdr.ts_ns;
	row.first_cpu_ns = sample->cpu_ns;
	if (hp_map_get(model->index, identity(sample), &position)) {
		const struct hp_thread_row *before = &model->rows.data[position];

		row = *before;
		row.last = *sample;
		update_percent(&row, before);
	}
	return hp_vec_push(&model->next, row);
}

static int by_max_descending(const void *a, const void *b)
{
	const struct hp_thread_row *left = a, *right = b;

	if (left->percent_max != right->percent_max)
		return left->percent_max < right->percent_max ? 1 : -1;
	return left->last.hdr.tid < right->last.hdr.tid ? -1
							: left->last.hdr.tid > right->last.hdr.tid;
}

static void forget_if_many(struct hp_map *map)
{
	if (hp_map_len(map) > GONE_REMEMBERED)
		hp_map_clear(map);
}

static void count_exit(struct hp_threads_model *model, const struct hp_thread_sample *sample)
{
	model->totals.exited++;
	model->totals.exited_cpu_ns += sample->cpu_ns;
}

static void write_off(struct hp_threads_model *model, const struct hp_thread_sample *sample)
{
	count_exit(model, sample);
	forget_if_many(model->written_off);
	hp_map_put(model->written_off, identity(sample), sample->cpu_ns);
}

static void age_leaving(struct hp_threads_model *model)
{
	size_t kept = 0;

	hp_vec_each(leaving, &model->leaving) {
		if (++leaving->readings < LEAVING_READINGS)
			model->leaving.data[kept++] = *leaving;
		else
			write_off(model, &leaving->last);
	}
	model->leaving.len = kept;
}

static void find_missing(struct hp_threads_model *model)
{
	hp_map_clear(model->index);
	for (size_t i = 0; i < model->next.len; i++)
		hp_map_put(model->index, identity(&model->next.data[i].last), i);
	hp_vec_each(row, &model->rows) {
		uint64_t id = identity(&row->last);
		struct leaving leaving = {.last = row->last};

		if (hp_map_get(model->index, id, NULL) || hp_map_get(model->gone, id, NULL))
			continue;
		if (hp_vec_push(&model->leaving, leaving) < 0)
			count_exit(model, &row->last);
	}
}

void hp_threads_model_end(struct hp_threads_model *model)
{
	struct hp_thread_row *data = model->rows.data;
	size_t cap = model->rows.cap;

	age_leaving(model);
	if (model->next.len)
		qsort(model->next.data, model->next.len, sizeof(*model->next.data),
		      by_max_descending);
	find_missing(model);
	/* Only a reading that ran while the record came can still show the thread. */
	forget_if_many(model->gone);

	model->rows.data = model->next.data;
	model->rows.cap = model->next.cap;
	model->rows.len = model->next.len;
	model->next.data = data;
	model->next.cap = cap;
}

int hp_threads_model_record(struct hp_threads_model *model, const struct hp_event *event,
			    size_t size)
{
	const struct hp_thread_sample *sample = (const void *)event;
	size_t kept = 0;
	uint64_t id, counted;
	int r;

	if (event->kind != HP_EVENT_THREAD_GONE || size < sizeof(*sample))
		return -EINVAL;
	id = identity(sample);
	r = hp_map_put(model->gone, id, 0);
	if (r < 0)
		return r;
	hp_vec_each(leaving, &model->leaving) {
		if (identity(&leaving->last) != id)
			model->leaving.data[kept++] = *leaving;
	}
	model->leaving.len = kept;
	if (hp_map_get(model->written_off, id, &counted))
		model->totals.exited_cpu_ns += sample->cpu_ns - counted;
	else
		count_exit(model, sample);
	return 0;
}

const struct hp_thread_row *hp_threads_model_rows(const struct hp_threads_model *model,
						  size_t *ret_len)
{
	*ret_len = model->rows.len;
	return model->rows.data;
}

struct hp_threads_totals hp_threads_model_totals(const struct hp_threads_model *model)
{
	struct hp_threads_totals totals = model->totals;

	hp_vec_each(leaving, &model->leaving) {
		totals.exited++;
		totals.exited_cpu_ns += leaving->last.cpu_ns;
	}
	return totals;
}
