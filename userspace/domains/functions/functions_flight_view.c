#include "domains/functions/functions_flight_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "domains/functions/functions_rows.h"
#include "domains/functions/functions_view.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "format/json.h"
#include "probe/registry.h"

/* Of a long chain the text holds the outermost and the innermost calls. */
#define TEXT_OUTER 2
#define TEXT_INNER 6

struct link {
	uint32_t id;
	const char *name; /* the registry's */
	uint64_t elapsed_ns;
};

struct flight_row {
	uint32_t id, tid;
	const char *name;
	size_t in_flight;
	uint64_t longest_ns;
	size_t first; /* of its chain, in links; the row itself is the last of nlinks */
	uint32_t nlinks;
};

struct in_flight {
	struct hp_snapshot base;
	uint64_t read_ns;
	char failed[160];
	uint32_t threads;
	uint64_t calls, gone, moving, left_out;
	HP_VEC(struct flight_row) rows; /* longest first */
	HP_VEC(struct link) links;
};

int hp_functions_flight_text(const struct hp_functions_flight *flight,
			     const struct hp_flight_call *call, struct hp_registry *registry,
			     char **ret_text)
{
	const struct hp_flight_frame *frames = flight->frames.data + call->outermost;
	size_t size;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return -ENOMEM;
	if (call->tid)
		fprintf(out, "thread %u: ", call->tid);
	else
		fprintf(out, "a goroutine: ");
	for (uint32_t i = 0; i < call->nframes; i++) {
		if (i == TEXT_OUTER && call->nframes > TEXT_OUTER + TEXT_INNER) {
			i = call->nframes - TEXT_INNER;
			fprintf(out, " > (%u more)", i - TEXT_OUTER);
		}
		fprintf(out, "%s%s", i ? " > " : "", hp_registry_name(registry, frames[i].entity));
	}
	if (fclose(out) != 0) {
		free(text);
		return -ENOMEM;
	}
	*ret_text = text;
	return 0;
}

static void in_flight_free(struct hp_snapshot *snapshot)
{
	struct in_flight *list = (struct in_flight *)snapshot;

	hp_vec_free(&list->rows);
	hp_vec_free(&list->links);
	free(list);
}

/* One row for the run of @n calls of one function that begins with its @longest. */
static int add_row(const struct hp_functions_source *source, const struct hp_flight_call *longest,
		   size_t n, struct in_flight *list)
{
	struct hp_registry *registry = hp_engine_registry(source->engine);
	const struct hp_flight_frame *frames = source->flight->frames.data + longest->outermost;
	const struct flight_row row = {
		.id = longest->entity,
		.tid = longest->tid,
		.name = hp_registry_name(registry, longest->entity),
		.in_flight = n,
		.longest_ns = longest->elapsed_ns,
		.first = list->links.len,
		.nlinks = longest->nframes,
	};
	int r = hp_vec_push(&list->rows, row);

	for (uint32_t i = 0; i < row.nlinks && r == 0; i++) {
		const struct link link = {
			.id = frames[i].entity,
			.name = hp_registry_name(registry, frames[i].entity),
			.elapsed_ns = frames[i].elapsed_ns,
		};

		r = hp_vec_push(&list->links, link);
	}
	return r;
}

static int by_elapsed(const void *a, const void *b)
{
	const struct flight_row *left = a, *right = b;

	if (left->longest_ns != right->longest_ns)
		return left->longest_ns < right->longest_ns ? 1 : -1;
	return left->id < right->id ? -1 : left->id > right->id;
}

static int fill_rows(const struct hp_functions_source *source, struct in_flight *list)
{
	const struct hp_functions_flight *flight = source->flight;
	int r = 0;

	for (size_t i = 0; i < flight->calls.len && r == 0;) {
		size_t end = i;

		while (end < flight->calls.len &&
		       flight->calls.data[end].entity == flight->calls.data[i].entity)
			end++;
		r = add_row(source, &flight->calls.data[i], end - i, list);
		i = end;
	}
	if (list->rows.len)
		qsort(list->rows.data, list->rows.len, sizeof(*list->rows.data), by_elapsed);
	return r;
}

int hp_functions_in_flight_snapshot(const struct hp_functions_source *source,
				    struct hp_snapshot **ret_snapshot)
{
	const struct hp_functions_flight *flight = source->flight;
	struct in_flight *list = calloc(1, sizeof(*list));
	int r;

	if (!list)
		return -ENOMEM;
	hp_snapshot_init(&list->base, in_flight_free, hp_engine_start_ns(source->engine));
	list->read_ns = flight->read_ns;
	snprintf(list->failed, sizeof(list->failed), "%s", flight->failed);
	list->threads = flight->threads;
	list->calls = flight->calls.len;
	list->gone = flight->gone;
	list->moving = flight->moving;
	list->left_out = flight->left_out;
	r = fill_rows(source, list);
	if (r < 0) {
		hp_snapshot_free(&list->base);
		return r;
	}
	*ret_snapshot = &list->base;
	return 0;
}

static void render_row(struct hp_json *json, const struct in_flight *list,
		       const struct flight_row *row)
{
	hp_json_begin_object(json, NULL);
	hp_json_u64(json, "id", row->id);
	hp_json_str(json, "name", row->name);
	hp_json_u64(json, "in_flight", row->in_flight);
	hp_json_begin_object(json, "longest");
	hp_json_u64(json, "thread_id", row->tid);
	hp_json_u64(json, "elapsed_ns", row->longest_ns);
	hp_json_begin_array(json, "chain");
	for (size_t i = row->first; i < row->first + row->nlinks; i++) {
		const struct link *link = &list->links.data[i];

		hp_json_begin_object(json, NULL);
		hp_json_u64(json, "id", link->id);
		hp_json_str(json, "name", link->name);
		hp_json_u64(json, "elapsed_ns", link->elapsed_ns);
		hp_json_end(json);
	}
	hp_json_end(json);
	hp_json_end(json);
	hp_json_end(json);
}

int hp_functions_in_flight_render(const struct hp_snapshot *base,
				  const struct hp_settings *settings, bool raw,
				  struct hp_json *json)
{
	const struct in_flight *list = (const struct in_flight *)base;
	size_t shown = list->rows.len;

	if (settings->limit && settings->limit < shown)
		shown = settings->limit;
	hp_json_begin_object(json, NULL);
	if (list->read_ns)
		hp_json_u64(json, "age_ns",
			    base->now_ns > list->read_ns ? base->now_ns - list->read_ns : 0);
	else
		hp_json_null(json, "age_ns");
	if (list->failed[0])
		hp_json_str(json, "failed", list->failed);
	hp_json_str(
		json, "seen",
		"timed calls; calls that are only counted, or passed over by sampling, do not appear");
	hp_json_u64(json, "threads", list->threads);
	hp_json_u64(json, "calls", list->calls);
	hp_json_u64(json, "frames_left", list->gone);
	hp_json_u64(json, "frames_moving", list->moving);
	hp_json_u64(json, "left_out_calls", list->left_out);
	hp_json_begin_array(json, "data");
	for (size_t i = 0; i < shown; i++)
		render_row(json, list, &list->rows.data[i]);
	hp_json_end(json);
	hp_json_u64(json, "total_count", list->rows.len);
	hp_json_u64(json, "included_count", shown);
	hp_json_end(json);
	return 0;
}
