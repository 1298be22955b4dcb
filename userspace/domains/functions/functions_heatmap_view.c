#include "domains/functions/functions_heatmap_view.h"

#include <errno.h>

#include "domains/functions/functions_head.h"
#include "domains/functions/functions_heatmap.h"
#include "domains/functions/functions_view.h"
#include "engine/engine.h"
#include "format/json.h"

struct heatmap {
	struct hp_snapshot base;
	struct hp_functions_head head;
	size_t ncolumns;
	struct hp_heatmap_column columns[HP_HEATMAP_SLOTS];
};

static void heatmap_free(struct hp_snapshot *snapshot)
{
	free(snapshot);
}

int hp_functions_heatmap_snapshot(const struct hp_functions_source *source, uint32_t id,
				  struct hp_snapshot **ret_snapshot)
{
	struct hp_functions_head head;
	struct heatmap *heatmap;
	int r = hp_functions_head_take(source, id, &head);

	if (r < 0)
		return r;
	heatmap = calloc(1, sizeof(*heatmap));
	if (!heatmap)
		return -ENOMEM;
	hp_snapshot_init(&heatmap->base, heatmap_free, hp_engine_start_ns(source->engine));
	heatmap->head = head;
	heatmap->ncolumns = hp_functions_heatmap_read(source->heatmap, id, heatmap->base.now_ns,
						      heatmap->columns);
	*ret_snapshot = &heatmap->base;
	return 0;
}

/* The buckets from the first to the last that holds anything: *@ret_first ... *@ret_end - 1. */
static void find_range(const struct heatmap *heatmap, unsigned *ret_first, unsigned *ret_end)
{
	unsigned first = HP_HEATMAP_BUCKETS, end = 0;

	for (size_t i = 0; i < heatmap->ncolumns; i++) {
		for (unsigned k = 0; k < HP_HEATMAP_BUCKETS; k++) {
			if (!heatmap->columns[i].counts[k])
				continue;
			first = k < first ? k : first;
			end = k >= end ? k + 1 : end;
		}
	}
	*ret_first = end ? first : 0;
	*ret_end = end;
}

int hp_functions_heatmap_render(const struct hp_snapshot *base, const struct hp_settings *settings,
				bool raw, struct hp_json *json)
{
	const struct heatmap *heatmap = (const struct heatmap *)base;
	unsigned first, end;

	find_range(heatmap, &first, &end);
	hp_json_begin_object(json, NULL);
	hp_functions_head_render(json, &heatmap->head);
	hp_json_u64(json, "slot_ns", HP_HEATMAP_SLOT_NS);
	hp_json_begin_array(json, "bounds_ns");
	for (unsigned k = first; end && k <= end; k++)
		hp_json_u64(json, NULL, hp_heatmap_low(k));
	hp_json_end(json);
	hp_json_begin_array(json, "slots");
	for (size_t i = 0; i < heatmap->ncolumns; i++) {
		const struct hp_heatmap_column *column = &heatmap->columns[i];

		hp_json_begin_object(json, NULL);
		hp_json_u64(json, "start_ns", column->start_ns);
		hp_json_u64(json, "records", column->records);
		hp_json_u64(json, "lost_records_all_functions", column->lost);
		hp_json_u64(json, "left_out_records_all_functions", column->left_out);
		hp_json_begin_array(json, "counts");
		for (unsigned k = first; k < end; k++)
			hp_json_u64(json, NULL, column->counts[k]);
		hp_json_end(json);
		hp_json_end(json);
	}
	hp_json_end(json);
	hp_json_end(json);
	return 0;
}
