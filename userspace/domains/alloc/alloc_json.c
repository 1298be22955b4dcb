#include "domains/alloc/alloc_json.h"

#include <errno.h>
#include <math.h>

#include "format/json.h"
#include "hotpathd/abi/unwind.h"

static void put_sum(struct hp_json *json, const char *key, const struct hp_alloc_sum *sum)
{
	hp_json_begin_object(json, key);
	hp_json_u64(json, "bytes", hp_alloc_whole(sum->bytes));
	hp_json_u64(json, "bytes_standard_error", hp_alloc_whole(sqrt(sum->bytes_variance)));
	hp_json_u64(json, "count", hp_alloc_whole(sum->count));
	hp_json_u64(json, "count_standard_error", hp_alloc_whole(sqrt(sum->count_variance)));
	hp_json_u64(json, "samples", sum->samples);
	hp_json_end(json);
}

static void put_sums(struct hp_json *json, const struct hp_alloc_sum *sums)
{
	static const char *const keys[HP_ALLOC_NSUMS] = {
		[HP_ALLOC_REQUESTED] = "requested", [HP_ALLOC_LIVE] = "live",
		[HP_ALLOC_RELEASED] = "released",   [HP_ALLOC_GONE] = "gone",
		[HP_ALLOC_UNTRACKED] = "untracked", [HP_ALLOC_TEMPORARY] = "temporary",
	};

	for (int i = 0; i < HP_ALLOC_NSUMS; i++)
		put_sum(json, keys[i], &sums[i]);
}

/* Buckets that hold anything: from (included), below, count. */
static void put_histogram(struct hp_json *json, const char *key, const double *buckets)
{
	hp_json_begin_array(json, key);
	for (unsigned i = 0; i < HP_ALLOC_BUCKETS; i++) {
		if (buckets[i] <= 0)
			continue;
		hp_json_begin_object(json, NULL);
		hp_json_u64(json, "from", i ? 1ull << (i - 1) : 0);
		if (i + 1 < HP_ALLOC_BUCKETS)
			hp_json_u64(json, "below", 1ull << i);
		else
			hp_json_null(json, "below");
		hp_json_u64(json, "count", hp_alloc_whole(buckets[i]));
		hp_json_end(json);
	}
	hp_json_end(json);
}

static void put_frames(struct hp_json *json, const struct hp_alloc_heap *heap,
		       const struct hp_alloc_entry *entry, const struct hp_alloc_names_of *names)
{
	hp_json_begin_array(json, "frames");
	for (uint32_t i = 0; i < entry->nframes; i++) {
		const struct hp_code_frame *frame = &heap->frames.data[entry->first + i];

		hp_json_begin_object(json, NULL);
		hp_json_u64(json, "id", frame->entity);
		hp_json_str(json, "name", names->name(names->arg, frame->entity));
		if (frame->file)
			hp_json_str(json, "file", names->name(names->arg, frame->file));
		if (frame->line)
			hp_json_u64(json, "line", frame->line);
		if (frame->inlined)
			hp_json_bool(json, "inlined", true);
		hp_json_end(json);
	}
	hp_json_end(json);
}

static const char *end_text(uint8_t end)
{
	static const char *const texts[HP_NSTACK_ENDS] = {
#define X(name, text) text,
		HP_STACK_ENDS(X)
#undef X
	};

	return texts[end & ~HP_STACK_GUESSED];
}

/* Who asked: process, function, frames. */
static void put_who(struct hp_json *json, const struct hp_alloc_heap *heap,
		    const struct hp_alloc_entry *entry, const struct hp_alloc_names_of *names)
{
	const struct hp_alloc_account *account = &entry->account;

	hp_json_u64(json, "pid", account->tgid);
	hp_json_u64(json, "function_id", account->function);
	if (account->function)
		hp_json_str(json, "function", names->name(names->arg, account->function));
	else
		hp_json_null(json, "function");
	hp_json_str(json, "stack_end", end_text(account->end));
	hp_json_bool(json, "frames_guessed", account->end & HP_STACK_GUESSED);
	put_frames(json, heap, entry, names);
}

static void put_age(struct hp_json *json, const char *key, uint64_t now_ns, uint64_t then_ns)
{
	if (then_ns)
		hp_json_u64(json, key, now_ns > then_ns ? now_ns - then_ns : 0);
	else
		hp_json_null(json, key);
}

static void put_verdict(struct hp_json *json, const struct hp_alloc_verdict *verdict)
{
	hp_json_begin_object(json, "leak");
	if (verdict->known)
		hp_json_bool(json, "suspected", verdict->suspect);
	else
		hp_json_null(json, "suspected");
	hp_json_u64(json, "looked_at_ns", verdict->look_ns);
	hp_json_u64(json, "growth_bytes", verdict->growth_bytes);
	hp_json_u64(json, "growth_count", verdict->growth_count);
	hp_json_u64(json, "rising_windows", verdict->rises);
	hp_json_f64(json, "sigmas", verdict->sigmas);
	hp_json_end(json);
}

static void put_stack(struct hp_json *json, const struct hp_alloc_heap *heap,
		      const struct hp_alloc_entry *entry, struct hp_alloc_amount amount,
		      const struct hp_alloc_names_of *names)
{
	const struct hp_alloc_account *account = &entry->account;

	hp_json_begin_object(json, NULL);
	hp_json_u64(json, "bytes", amount.bytes);
	hp_json_u64(json, "count", amount.count);
	put_who(json, heap, entry, names);
	put_sums(json, account->sums);
	put_age(json, "oldest_live_ns", heap->taken_ns, entry->oldest_ns);
	put_age(json, "first_request_ago_ns", heap->taken_ns, account->first_ns);
	put_age(json, "last_request_ago_ns", heap->taken_ns, account->last_ns);
	hp_json_u64(json, "longest_lifetime_ns", account->longest_ns);
	put_histogram(json, "sizes", account->sizes);
	put_histogram(json, "lifetimes_ns", account->lifetimes);
	put_verdict(json, &entry->verdict);
	hp_json_end(json);
}

/* An entry, by its number, and what it is sorted by. */
struct row {
	size_t number;
	struct hp_alloc_amount amount;
	double key;
};

static int by_key(const void *a, const void *b)
{
	const struct row *left = a, *right = b;

	if (left->key != right->key)
		return left->key < right->key ? 1 : -1;
	return left->number < right->number ? -1 : left->number > right->number;
}

static struct hp_alloc_amount amount_of(const struct hp_alloc_entry *entry,
					const struct hp_alloc_query *query)
{
	struct hp_alloc_amount from, to;

	if (!query->past)
		return hp_alloc_heap_amount(entry, query->view, HP_ALLOC_NOW);
	from = hp_alloc_heap_amount(entry, query->view, HP_ALLOC_THEN_0);
	to = hp_alloc_heap_amount(entry, query->view,
				  query->span.to_sec ? HP_ALLOC_THEN_1 : HP_ALLOC_NOW);
	return (struct hp_alloc_amount){to.bytes - from.bytes, to.count - from.count};
}

/* A release that was lost, or not measured, leaves its block where it is until its address is given out again. */
static void put_doubts(struct hp_json *json, const struct hp_alloc_heap *heap)
{
	hp_json_str(json, "note", heap->stopped);
	hp_json_bool(json, "live_is_upper_bound", heap->records_lost || heap->stopped);
}

static void put_head(struct hp_json *json, const struct hp_alloc_heap *heap,
		     const struct hp_alloc_query *query)
{
	static const char *const views[HP_ALLOC_NVIEW] = {"live", "allocated", "leaks"};
	const struct hp_alloc_totals *totals = &heap->totals;
	uint64_t from = query->past ? heap->then_ns[0] : heap->start_ns;
	uint64_t to = query->past && query->span.to_sec ? heap->then_ns[1] : heap->taken_ns;

	hp_json_str(json, "what", views[query->view]);
	hp_json_u64(json, "observed_ns", heap->taken_ns - heap->start_ns);
	hp_json_u64(json, "window_ns", to > from ? to - from : 0);
	hp_json_u64(json, "sample_period_bytes", totals->period);
	put_doubts(json, heap);
	hp_json_begin_object(json, "totals");
	put_sums(json, totals->sums);
	hp_json_end(json);
	hp_json_u64(json, "live_samples", totals->blocks);
	hp_json_begin_object(json, "losses");
	hp_json_u64(json, "records_lost", heap->records_lost);
	hp_json_u64(json, "addresses_reused", totals->reused);
	hp_json_u64(json, "releases_late", totals->late);
	hp_json_u64(json, "releases_unmatched", totals->unmatched);
	hp_json_u64(json, "stacks_without_room", totals->no_room);
	hp_json_u64(json, "records_early", totals->early);
	hp_json_end(json);
}

int hp_alloc_json_heap(const struct hp_alloc_heap *heap, const struct hp_alloc_query *query,
		       const struct hp_alloc_names_of *names, char **ret_text)
{
	HP_AUTO_FREE struct row *rows = calloc(heap->entries.len + 1, sizeof(*rows));
	HP_AUTO(hp_json) struct hp_json *json = NULL;
	size_t n = 0, shown;
	int r = rows ? hp_json_new(&json) : -ENOMEM;

	if (r < 0)
		return r;
	for (size_t i = 0; i < heap->entries.len; i++) {
		struct hp_alloc_amount amount = amount_of(&heap->entries.data[i], query);

		if (amount.count || amount.bytes)
			rows[n++] = (struct row){i, amount, (double)amount.bytes};
	}
	qsort(rows, n, sizeof(*rows), by_key);
	shown = n < HP_ALLOC_JSON_STACKS ? n : HP_ALLOC_JSON_STACKS;
	hp_json_begin_object(json, NULL);
	put_head(json, heap, query);
	hp_json_begin_array(json, "stacks");
	for (size_t i = 0; i < shown; i++)
		put_stack(json, heap, &heap->entries.data[rows[i].number], rows[i].amount, names);
	hp_json_end(json);
	hp_json_u64(json, "total_count", n);
	hp_json_u64(json, "included_count", shown);
	hp_json_end(json);
	return hp_json_print(json, ret_text);
}

uint64_t hp_alloc_moment_ns(const struct hp_alloc_moment *moment)
{
	if (moment->when == HP_ALLOC_NOW)
		return moment->heap->taken_ns;
	return moment->when == HP_ALLOC_BEGINNING
		       ? moment->heap->start_ns
		       : moment->heap->then_ns[moment->when - HP_ALLOC_THEN_0];
}

/* Stacks keep their numbers; one that a does not have yet held nothing. */
static struct hp_alloc_amount amount_at(const struct hp_alloc_moment *moment, size_t number,
					enum hp_alloc_view view)
{
	if (number >= moment->heap->entries.len)
		return (struct hp_alloc_amount){0};
	return hp_alloc_heap_amount(&moment->heap->entries.data[number], view, moment->when);
}

static void put_change(struct hp_json *json, const char *key_a, uint64_t a, const char *key_b,
		       uint64_t b, const char *key_change)
{
	hp_json_u64(json, key_a, a);
	hp_json_u64(json, key_b, b);
	hp_json_i64(json, key_change, (int64_t)(b - a));
}

static void put_changes(struct hp_json *json, struct hp_alloc_amount a, struct hp_alloc_amount b)
{
	put_change(json, "bytes_a", a.bytes, "bytes_b", b.bytes, "bytes_change");
	put_change(json, "count_a", a.count, "count_b", b.count, "count_change");
}

int hp_alloc_json_diff(const struct hp_alloc_moment *a, const struct hp_alloc_moment *b,
		       enum hp_alloc_view view, const struct hp_alloc_names_of *names,
		       char **ret_text)
{
	const struct hp_alloc_heap *heap = b->heap;
	HP_AUTO_FREE struct row *rows = calloc(heap->entries.len + 1, sizeof(*rows));
	HP_AUTO(hp_json) struct hp_json *json = NULL;
	struct hp_alloc_amount all_a = {0}, all_b = {0};
	size_t n = 0, shown;
	int r = rows ? hp_json_new(&json) : -ENOMEM;

	if (r < 0)
		return r;
	for (size_t i = 0; i < heap->entries.len; i++) {
		struct hp_alloc_amount before = amount_at(a, i, view),
				       after = amount_at(b, i, view);

		all_a.bytes += before.bytes;
		all_a.count += before.count;
		all_b.bytes += after.bytes;
		all_b.count += after.count;
		if (before.bytes != after.bytes || before.count != after.count)
			rows[n++] = (struct row){i, after,
						 fabs((double)after.bytes - (double)before.bytes)};
	}
	qsort(rows, n, sizeof(*rows), by_key);
	shown = n < HP_ALLOC_JSON_STACKS ? n : HP_ALLOC_JSON_STACKS;
	hp_json_begin_object(json, NULL);
	hp_json_str(json, "what", view == HP_ALLOC_VIEW_ALLOCATED ? "allocated" : "live");
	hp_json_u64(json, "duration_ns", hp_alloc_moment_ns(b) - hp_alloc_moment_ns(a));
	put_doubts(json, heap);
	put_changes(json, all_a, all_b);
	hp_json_begin_array(json, "stacks");
	for (size_t i = 0; i < shown; i++) {
		hp_json_begin_object(json, NULL);
		put_changes(json, amount_at(a, rows[i].number, view), rows[i].amount);
		put_who(json, heap, &heap->entries.data[rows[i].number], names);
		hp_json_end(json);
	}
	hp_json_end(json);
	hp_json_u64(json, "total_count", n);
	hp_json_u64(json, "included_count", shown);
	hp_json_end(json);
	return hp_json_print(json, ret_text);
}
