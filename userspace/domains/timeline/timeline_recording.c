#include "domains/timeline/timeline_recording.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"

/* Beyond these it is full; the rest of the room is for what is under way: rings, and the time until the worker comes. */
#define ENOUGH_ABSENCES (HP_TIMELINE_MAX_ABSENCES / 8ul * 7)
#define ENOUGH_CALLS    (HP_TIMELINE_MAX_CALLS / 8ul * 7)

struct hp_timeline_recording {
	atomic_uint refs;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool full, finished; /* under the lock, as is the next one */
	uint64_t ended_ns;
	struct hp_timeline_record record;
};

int hp_timeline_recording_new(struct hp_timeline_recording **ret_recording)
{
	struct hp_timeline_recording *recording = calloc(1, sizeof(*recording));
	pthread_condattr_t attr;

	if (!recording)
		return -ENOMEM;
	atomic_init(&recording->refs, 1);
	pthread_mutex_init(&recording->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&recording->changed, &attr);
	pthread_condattr_destroy(&attr);
	*ret_recording = recording;
	return 0;
}

struct hp_timeline_recording *hp_timeline_recording_ref(struct hp_timeline_recording *recording)
{
	atomic_fetch_add_explicit(&recording->refs, 1, memory_order_relaxed);
	return recording;
}

void hp_timeline_recording_free(struct hp_timeline_recording *recording)
{
	struct hp_timeline_record *record;

	if (!recording || atomic_fetch_sub_explicit(&recording->refs, 1, memory_order_acq_rel) != 1)
		return;
	record = &recording->record;
	hp_vec_free(&record->absences);
	hp_vec_free(&record->first);
	hp_vec_free(&record->last);
	hp_vec_free(&record->gone);
	hp_vec_free(&record->calls);
	pthread_cond_destroy(&recording->changed);
	pthread_mutex_destroy(&recording->lock);
	free(recording);
}

/* No more is wanted: what was there when it got full is a whole picture, what comes later is not. */
static void set_full(struct hp_timeline_recording *recording)
{
	pthread_mutex_lock(&recording->lock);
	if (!recording->full && !recording->ended_ns) {
		recording->full = true;
		recording->record.full = true;
		recording->record.until_ns = hp_clock_mono_ns();
		pthread_cond_broadcast(&recording->changed);
	}
	pthread_mutex_unlock(&recording->lock);
}

static int drop(struct hp_timeline_recording *recording)
{
	recording->record.dropped++;
	return -ENOMEM;
}

int hp_timeline_recording_add(struct hp_timeline_recording *recording, const struct hp_event *event,
			      size_t size)
{
	struct hp_timeline_record *record = &recording->record;
	int r;

	if (event->kind == HP_EVENT_TIMELINE_GONE && size >= sizeof(record->gone.data[0])) {
		if (record->gone.len == HP_TIMELINE_MAX_THREADS)
			return drop(recording);
		r = hp_vec_push(&record->gone, *(const struct hp_timeline_thread *)event);
		return r < 0 ? drop(recording) : 0;
	}
	if (event->kind != HP_EVENT_ABSENCE || size < sizeof(record->absences.data[0]))
		return -EINVAL;
	if (record->absences.len == HP_TIMELINE_MAX_ABSENCES)
		return drop(recording);
	r = hp_vec_push(&record->absences, *(const struct hp_timeline_absence *)event);
	if (record->absences.len == ENOUGH_ABSENCES)
		set_full(recording);
	return r < 0 ? drop(recording) : 0;
}

void hp_timeline_recording_call(struct hp_timeline_recording *recording,
				const struct hp_timeline_call *call)
{
	struct hp_timeline_record *record = &recording->record;

	if (record->calls.len == HP_TIMELINE_MAX_CALLS || hp_vec_push(&record->calls, *call) < 0)
		drop(recording);
	else if (record->calls.len == ENOUGH_CALLS)
		set_full(recording);
}

void hp_timeline_recording_begin(struct hp_timeline_recording *recording,
				 hp_timeline_threads *first)
{
	recording->record.first = *first;
	memset(first, 0, sizeof(*first));
	recording->record.from_ns = hp_clock_mono_ns();
}

/* Under the lock: waits for a change, false if it is too late for one. */
static bool wait_change(struct hp_timeline_recording *recording, uint64_t until_ns)
{
	const struct timespec until = {
		.tv_sec = (time_t)(until_ns / 1000000000),
		.tv_nsec = (long)(until_ns % 1000000000),
	};

	if (hp_clock_mono_ns() >= until_ns)
		return false;
	pthread_cond_timedwait(&recording->changed, &recording->lock, &until);
	return true;
}

void hp_timeline_recording_wait(struct hp_timeline_recording *recording, uint64_t until_ns)
{
	pthread_mutex_lock(&recording->lock);
	while (!recording->full && !recording->ended_ns && wait_change(recording, until_ns))
		;
	pthread_mutex_unlock(&recording->lock);
}

void hp_timeline_recording_end(struct hp_timeline_recording *recording, uint64_t until_ns,
			       hp_timeline_threads *last)
{
	pthread_mutex_lock(&recording->lock);
	if (!recording->ended_ns) {
		recording->ended_ns = hp_clock_mono_ns();
		recording->record.last = *last;
		memset(last, 0, sizeof(*last));
		if (!recording->full)
			recording->record.until_ns = until_ns;
		pthread_cond_broadcast(&recording->changed);
	}
	pthread_mutex_unlock(&recording->lock);
	hp_vec_free(last);
}

uint64_t hp_timeline_recording_ended_ns(struct hp_timeline_recording *recording)
{
	uint64_t ended_ns;

	pthread_mutex_lock(&recording->lock);
	ended_ns = recording->ended_ns;
	pthread_mutex_unlock(&recording->lock);
	return ended_ns;
}

void hp_timeline_recording_finish(struct hp_timeline_recording *recording, bool drained)
{
	pthread_mutex_lock(&recording->lock);
	recording->record.drained = drained;
	recording->finished = true;
	pthread_cond_broadcast(&recording->changed);
	pthread_mutex_unlock(&recording->lock);
}

bool hp_timeline_recording_finished(struct hp_timeline_recording *recording, uint64_t until_ns)
{
	bool finished;

	pthread_mutex_lock(&recording->lock);
	while (!recording->finished && wait_change(recording, until_ns))
		;
	finished = recording->finished;
	pthread_mutex_unlock(&recording->lock);
	return finished;
}

struct hp_timeline_record *hp_timeline_recording_get(struct hp_timeline_recording *recording)
{
	return &recording->record;
}
