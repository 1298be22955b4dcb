#include "domains/cpu/cpu_diff.h"

#include <errno.h>
#include <math.h>

#include "base/map.h"
#include "domains/cpu/cpu_totals.h"
#include "format/json.h"

struct row {
	uint32_t entity;
	double self[2], total[2]; /* percent of a and b */
};

typedef HP_VEC(struct row) row_vec;

static double percent(const struct hp_cpu_sum *part, const struct hp_cpu_sum *all)
{
	return all->weight_ns ? 100.0 * (double)part->weight_ns / (double)all->weight_ns : 0;
}

static int add_side(const struct hp_cpu_totals *totals, int side, struct hp_map *index,
		    row_vec *rows)
{
	int r = 0;

	hp_vec_each(total, &totals->list) {
		const struct row fresh = {.entity = total->entity};
		uint64_t number = rows->len;

		if (!hp_map_get(index, total->entity, &number)) {
			r = hp_vec_push(rows, fresh);
			if (r == 0)
				r = hp_map_put(index, total->entity, number);
			if (r < 0)
				return r;
		}
		rows->data[number].self[side] = percent(&total->self, &totals->all);
		rows->data[number].total[side] = percent(&total->total, &totals->all);
	}
	return 0;
}

static int by_change(const void *a, const void *b)
{
	const struct row *left = a, *right = b;
	double left_self = fabs(left->self[1] - left->self[0]);
	double right_self = fabs(right->self[1] - right->self[0]);
	double left_total = fabs(left->total[1] - left->total[0]);
	double right_total = fabs(right->total[1] - right->total[0]);

	if (left_self != right_self)
		return left_self < right_self ? 1 : -1;
	if (left_total != right_total)
		return left_total < right_total ? 1 : -1;
	return left->entity < right->entity ? -1 : left->entity > right->entity;
}

static void put_window(struct hp_json *json, const char *key, const struct hp_cpu_window *window,
		       const struct hp_cpu_totals *totals)
{
	hp_json_begin_object(json, key);
	hp_json_u64(json, "start_ms", window->start_wall_ms);
	hp_json_u64(json, "duration_ns", window->end_ns - window->start_ns);
	hp_json_u64(json, "samples", totals->all.samples);
	hp_json_u64(json, "weight_ns", totals->all.weight_ns);
	hp_json_end(json);
}

static void put_rows(struct hp_json *json, const struct hp_cpu_window *window, row_vec *rows)
{
	if (rows->len)
		qsort(rows->data, rows->len, sizeof(*rows->data), by_change);
	hp_json_begin_array(json, "functions");
	hp_vec_each(row, rows) {
		hp_json_begin_object(json, NULL);
		hp_json_u64(json, "id", row->entity);
		hp_json_str(json, "name", window->name(window->arg, row->entity));
		hp_json_f64(json, "self_percent_a", row->self[0]);
		hp_json_f64(json, "self_percent_b", row->self[1]);
		hp_json_f64(json, "self_points", row->self[1] - row->self[0]);
		hp_json_f64(json, "total_percent_a", row->total[0]);
		hp_json_f64(json, "total_percent_b", row->total[1]);
		hp_json_f64(json, "total_points", row->total[1] - row->total[0]);
		hp_json_end(json);
	}
	hp_json_end(json);
}

static int sum_up(const struct hp_cpu_window *window, struct hp_cpu_totals *ret_totals)
{
	const struct hp_cpu_filter filter = {
		.any_thread = true, .any_end = true, .by_function = true};
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *stacks = NULL;
	int r = hp_cpu_window_merge(window, filter, &stacks);

	return r < 0 ? r : hp_cpu_totals_init(stacks, ret_totals);
}

static int write_text(const struct hp_cpu_window *a, const struct hp_cpu_window *b,
		      const struct hp_cpu_totals *of_a, const struct hp_cpu_totals *of_b,
		      row_vec *rows, char **ret_text)
{
	HP_AUTO(hp_map) struct hp_map *index = NULL;
	HP_AUTO(hp_json) struct hp_json *json = NULL;
	int r = hp_map_new(&index);

	if (r == 0)
		r = add_side(of_a, 0, index, rows);
	if (r == 0)
		r = add_side(of_b, 1, index, rows);
	if (r == 0)
		r = hp_json_new(&json);
	if (r < 0)
		return r;
	hp_json_begin_object(json, NULL);
	hp_json_str(json, "type", hp_cpu_kind_name(a->kind));
	put_window(json, "a", a, of_a);
	put_window(json, "b", b, of_b);
	put_rows(json, a, rows);
	hp_json_end(json);
	return hp_json_print(json, ret_text);
}

int hp_cpu_diff_text(const struct hp_cpu_window *a, const struct hp_cpu_window *b, char **ret_text)
{
	HP_AUTO(hp_cpu_totals) struct hp_cpu_totals of_a = {0};
	HP_AUTO(hp_cpu_totals) struct hp_cpu_totals of_b = {0};
	row_vec rows = {0};
	int r = sum_up(a, &of_a);

	if (r == 0)
		r = sum_up(b, &of_b);
	if (r == 0)
		r = write_text(a, b, &of_a, &of_b, &rows, ret_text);
	hp_vec_free(&rows);
	return r;
}
