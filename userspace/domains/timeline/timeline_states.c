#include "domains/timeline/timeline_states.h"

#include <errno.h>
#include <stdlib.h>

/* One thread's part of the lists, while it is built. */
struct builder {
	const struct hp_timeline_record *record;
	struct hp_timeline_states *states;
	uint32_t thread;
	uint64_t at_ns; /* so far the slices reach */
	bool failed;
};

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_tid_and_time(const void *a, const void *b)
{
	const struct hp_event *left = a, *right = b;

	return left->tid != right->tid ? compare(left->tid, right->tid)
				       : compare(left->ts_ns, right->ts_ns);
}

static int by_tid(const void *a, const void *b)
{
	const struct hp_timeline_track *left = a, *right = b;

	if (left->tid != right->tid)
		return compare(left->tid, right->tid);
	return compare(left->slices, right->slices); /* as they came */
}

static int tid_of(const void *tid, const void *event)
{
	return compare(*(const uint32_t *)tid, ((const struct hp_event *)event)->tid);
}

static int tid_of_track(const void *tid, const void *track)
{
	return compare(*(const uint32_t *)tid, ((const struct hp_timeline_track *)track)->tid);
}

static int add_thread(struct hp_timeline_states *states, uint32_t tid, uint32_t tgid,
		      const char *comm)
{
	struct hp_timeline_track track = {.tid = tid, .tgid = tgid, .slices = states->threads.len};

	if (comm)
		memcpy(track.comm, comm, sizeof(track.comm) - 1);
	return hp_vec_push(&states->threads, track);
}

static int add_listed(struct hp_timeline_states *states, const hp_timeline_threads *list)
{
	int r = 0;

	for (size_t i = 0; i < list->len && r == 0; i++)
		r = add_thread(states, list->data[i].hdr.tid, list->data[i].tgid,
			       list->data[i].comm);
	return r;
}

/* All threads that any list knows, each once, with its latest name: the lists' order counts. */
static int find_threads(const struct hp_timeline_record *record, struct hp_timeline_states *states)
{
	size_t n = 0;
	int r = add_listed(states, &record->last);

	if (r == 0)
		r = add_listed(states, &record->gone);
	if (r == 0)
		r = add_listed(states, &record->first);
	hp_vec_each(absence, &record->absences) {
		bool again =
			absence > record->absences.data && absence[-1].hdr.tid == absence->hdr.tid;

		if (r == 0 && !again)
			r = add_thread(states, absence->hdr.tid, absence->tgid, NULL);
	}
	if (r < 0 || !states->threads.len)
		return r;
	qsort(states->threads.data, states->threads.len, sizeof(*states->threads.data), by_tid);
	hp_vec_each(track, &states->threads) {
		struct hp_timeline_track *last = n ? &states->threads.data[n - 1] : NULL;

		if (!last || last->tid != track->tid)
			states->threads.data[n++] = *track;
		else if (!last->comm[0])
			memcpy(last->comm, track->comm, sizeof(last->comm));
	}
	states->threads.len = n;
	return 0;
}

long hp_timeline_states_find(const struct hp_timeline_states *states, uint32_t tid)
{
	const struct hp_timeline_track *found = NULL;

	if (states->threads.len)
		found = bsearch(&tid, states->threads.data, states->threads.len, sizeof(*found),
				tid_of_track);
	return found ? found - states->threads.data : -1;
}

/* Adds what of @slice lies within the recording and behind what there is. */
static void add(struct builder *builder, struct hp_timeline_slice slice)
{
	struct hp_timeline_track *track = &builder->states->threads.data[builder->thread];

	if (slice.end_ns > builder->record->until_ns) {
		slice.end_ns = builder->record->until_ns;
		slice.by = HP_TIMELINE_BY_NOBODY; /* it goes on */
	}
	if (slice.start_ns < builder->at_ns)
		slice.start_ns = builder->at_ns;
	if (slice.start_ns >= slice.end_ns)
		return;
	track->gap_ns += slice.start_ns - builder->at_ns;
	slice.thread = builder->thread;
	builder->at_ns = slice.end_ns;
	if (hp_vec_push(&builder->states->slices, slice) < 0)
		builder->failed = true;
}

static void add_span(struct builder *builder, enum hp_timeline_kind kind, uint64_t start_ns,
		     uint64_t end_ns, uint16_t cpu, uint8_t wait)
{
	add(builder, (struct hp_timeline_slice){.start_ns = start_ns,
						.end_ns = end_ns,
						.kind = kind,
						.cpu = cpu,
						.wait = wait});
}

static enum hp_timeline_by who_woke(const struct hp_timeline_absence *absence)
{
	if (!(absence->flags & HP_TIMELINE_WOKEN))
		return HP_TIMELINE_BY_NOBODY;
	if (absence->flags & HP_TIMELINE_CREATED)
		return HP_TIMELINE_BY_CREATOR;
	return absence->flags & HP_TIMELINE_INTERRUPT ? HP_TIMELINE_BY_INTERRUPT
						      : HP_TIMELINE_BY_THREAD;
}

static void add_absence(struct builder *builder, const struct hp_timeline_absence *absence)
{
	uint64_t awake_ns = absence->woken_ns ? absence->woken_ns : absence->hdr.ts_ns;
	struct hp_timeline_slice slice = {
		.start_ns = absence->left_ns,
		.end_ns = awake_ns,
		.kind = HP_TIMELINE_WAITS,
		.wait = absence->wait < HP_NWAITS ? absence->wait : HP_WAIT_OTHER,
		.by = who_woke(absence),
		.waker_tid = absence->waker_tid,
		.waker_tgid = absence->waker_tgid,
	};

	memcpy(slice.waker_comm, absence->waker_comm, sizeof(slice.waker_comm));
	builder->states->missed += !!(absence->flags & HP_TIMELINE_MISSED);
	if (absence->on_ns)
		add_span(builder, HP_TIMELINE_RUNS, absence->on_ns, absence->left_ns, absence->cpu,
			 0);
	if (absence->wait == HP_WAIT_PREEMPTED || absence->flags & HP_TIMELINE_CREATED) {
		slice.kind = HP_TIMELINE_WAITS_FOR_CPU;
		slice.end_ns = absence->hdr.ts_ns;
		add(builder, slice);
		return;
	}
	builder->states->wakes_unseen += !absence->woken_ns;
	add(builder, slice);
	add_span(builder, HP_TIMELINE_WAITS_FOR_CPU, awake_ns, absence->hdr.ts_ns, 0, 0);
}

/* The state that it was in at the end. */
static void add_last(struct builder *builder, const struct hp_timeline_thread *last)
{
	uint64_t until_ns = builder->record->until_ns;
	uint64_t awake_ns = last->woken_ns ? last->woken_ns : until_ns;

	if (last->state == HP_TIMELINE_ON) {
		add_span(builder, HP_TIMELINE_RUNS, last->since_ns, until_ns, last->cpu, 0);
		return;
	}
	if (last->on_ns)
		add_span(builder, HP_TIMELINE_RUNS, last->on_ns, last->since_ns, last->cpu, 0);
	if (last->state == HP_TIMELINE_BLOCKED) {
		add_span(builder, HP_TIMELINE_WAITS, last->since_ns, awake_ns, 0,
			 last->wait < HP_NWAITS ? last->wait : HP_WAIT_OTHER);
		add_span(builder, HP_TIMELINE_WAITS_FOR_CPU, awake_ns, until_ns, 0, 0);
	} else if (last->state == HP_TIMELINE_RUNNABLE) {
		add_span(builder, HP_TIMELINE_WAITS_FOR_CPU, last->since_ns, until_ns, 0, 0);
	}
}

/* @list: by tid. */
static const struct hp_timeline_thread *find_entry(const hp_timeline_threads *list, uint32_t tid)
{
	return list->len ? bsearch(&tid, list->data, list->len, sizeof(*list->data), tid_of) : NULL;
}

/* When the thread began, unless it was there at the beginning; it has an absence or an end. */
static uint64_t begin_of(const struct hp_timeline_absence *first_absence,
			 const struct hp_timeline_thread *last)
{
	if (first_absence)
		return first_absence->on_ns ? first_absence->on_ns : first_absence->left_ns;
	if (!last)
		return UINT64_MAX;
	return last->on_ns ? last->on_ns : last->since_ns;
}

/* The absences of the thread are those from *@at on; moves *@at to those of the next one. */
static void build(struct builder *builder, size_t *at)
{
	const struct hp_timeline_record *record = builder->record;
	struct hp_timeline_track *track = &builder->states->threads.data[builder->thread];
	const hp_timeline_absences *all = &record->absences;
	const struct hp_timeline_thread *last = find_entry(&record->last, track->tid);
	bool any = *at < all->len && all->data[*at].hdr.tid == track->tid;

	if (!last)
		last = find_entry(&record->gone, track->tid);
	builder->at_ns = record->from_ns;
	if (!find_entry(&record->first, track->tid)) {
		uint64_t began_ns = begin_of(any ? &all->data[*at] : NULL, last);

		builder->at_ns = began_ns > record->from_ns ? began_ns : record->from_ns;
	}
	track->slices = builder->states->slices.len;
	for (; *at < all->len && all->data[*at].hdr.tid == track->tid; ++*at)
		add_absence(builder, &all->data[*at]);
	if (last)
		add_last(builder, last);
	if (last && last->state != HP_TIMELINE_DEAD && builder->at_ns < record->until_ns)
		track->gap_ns += record->until_ns - builder->at_ns;
	track->nslices = builder->states->slices.len - track->slices;
	builder->states->gap_ns += track->gap_ns;
}

/* Is thread @i on a CPU at @ns, as far as the slices go? An arrow needs something to begin at. */
static bool runs_at(const struct hp_timeline_states *states, size_t i, uint64_t ns)
{
	const struct hp_timeline_track *track = &states->threads.data[i];
	size_t low = track->slices, high = low + track->nslices;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct hp_timeline_slice *slice = &states->slices.data[middle];

		if (ns < slice->start_ns)
			high = middle;
		else if (ns >= slice->end_ns)
			low = middle + 1;
		else
			return slice->kind == HP_TIMELINE_RUNS;
	}
	return false;
}

static int add_wakes(struct hp_timeline_states *states)
{
	for (size_t i = 0; i < states->slices.len; i++) {
		const struct hp_timeline_slice *slice = &states->slices.data[i], *next = slice + 1;
		struct hp_timeline_wake wake = {.from_ns = slice->end_ns, .woken = slice->thread};
		long waker;
		int r;

		if (slice->by != HP_TIMELINE_BY_THREAD && slice->by != HP_TIMELINE_BY_CREATOR)
			continue;
		/* Its next stay on a CPU, after the run queue if it was in that. */
		if (slice->by == HP_TIMELINE_BY_CREATOR)
			wake.from_ns = slice->start_ns;
		else if (i + 1 < states->slices.len && next->kind == HP_TIMELINE_WAITS_FOR_CPU)
			next++;
		waker = hp_timeline_states_find(states, slice->waker_tid);
		if (next >= states->slices.data + states->slices.len ||
		    next->thread != slice->thread || next->kind != HP_TIMELINE_RUNS || waker < 0 ||
		    !runs_at(states, (size_t)waker, wake.from_ns))
			continue;
		wake.to_ns = next->start_ns;
		wake.waker = (uint32_t)waker;
		r = hp_vec_push(&states->wakes, wake);
		if (r < 0)
			return r;
	}
	return 0;
}

static void sort_threads(hp_timeline_threads *list)
{
	if (list->len)
		qsort(list->data, list->len, sizeof(*list->data), by_tid_and_time);
}

static void sort(struct hp_timeline_record *record)
{
	if (record->absences.len)
		qsort(record->absences.data, record->absences.len, sizeof(*record->absences.data),
		      by_tid_and_time);
	sort_threads(&record->first);
	sort_threads(&record->last);
	sort_threads(&record->gone);
}

int hp_timeline_states_init(struct hp_timeline_record *record,
			    struct hp_timeline_states *ret_states)
{
	HP_AUTO(hp_timeline_states) struct hp_timeline_states states = {0};
	struct builder builder = {.record = record, .states = &states};
	size_t at = 0;
	int r;

	sort(record);
	r = find_threads(record, &states);
	for (size_t i = 0; i < states.threads.len && r == 0; i++) {
		builder.thread = (uint32_t)i;
		build(&builder, &at);
	}
	if (r == 0)
		r = builder.failed ? -ENOMEM : add_wakes(&states);
	if (r < 0)
		return r;
	*ret_states = states;
	memset(&states, 0, sizeof(states));
	return 0;
}

void hp_timeline_states_deinit(struct hp_timeline_states *states)
{
	hp_vec_free(&states->threads);
	hp_vec_free(&states->slices);
	hp_vec_free(&states->wakes);
}
