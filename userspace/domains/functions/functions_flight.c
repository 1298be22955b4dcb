#include "domains/functions/functions_flight.h"

#include <errno.h>

#include "probe/plan.h"

/* One thread as it was written, cut to what is there. */
struct item {
	struct hp_flight_head head;
	const uint8_t *copies[2];
	const uint8_t *returns; /* a word for each frame */
	uint32_t nframes;       /* in each copy */
	size_t size;
};

void hp_functions_flight_begin(struct hp_functions_flight *flight, uint64_t now_ns)
{
	flight->read_ns = now_ns;
	flight->frames.len = flight->calls.len = 0;
	flight->threads = 0;
	flight->gone = flight->moving = flight->left_out = 0;
}

void hp_functions_flight_deinit(struct hp_functions_flight *flight)
{
	hp_vec_free(&flight->frames);
	hp_vec_free(&flight->calls);
}

/* 1 = whole, 0 = more bytes are needed, -EBADMSG. */
static int take(const uint8_t *data, size_t size, struct item *item)
{
	size_t at = sizeof(item->head);

	if (size < at)
		return 0;
	memcpy(&item->head, data, at);
	if (item->head.hdr.kind != HP_EVENT_FLIGHT || item->head.bytes < HP_FLIGHT_MIN ||
	    item->head.bytes > sizeof(struct hp_shadow) ||
	    (item->head.bytes - HP_FLIGHT_MIN) % sizeof(struct hp_frame))
		return -EBADMSG;
	item->nframes = (item->head.bytes - HP_FLIGHT_MIN) / (uint32_t)sizeof(struct hp_frame);
	item->size = at + 2 * (size_t)item->head.bytes + item->nframes * sizeof(uint64_t);
	if (size < item->size)
		return 0;
	for (int i = 0; i < 2; i++, at += item->head.bytes)
		item->copies[i] = data + at;
	item->returns = data + at;
	return 1;
}

static uint32_t depth_of(const struct item *item, int copy)
{
	uint32_t depth;

	memcpy(&depth, item->copies[copy] + offsetof(struct hp_shadow, depth), sizeof(depth));
	return depth < item->nframes ? depth : item->nframes;
}

static struct hp_frame frame_of(const struct item *item, int copy, uint32_t i)
{
	struct hp_frame frame;

	memcpy(&frame, item->copies[copy] + offsetof(struct hp_shadow, frames) + i * sizeof(frame),
	       sizeof(frame));
	return frame;
}

/* Both copies hold the frame, whole; the sums in it may grow meanwhile. */
static bool is_steady(const struct item *item, const struct hp_frame *frame, uint32_t i)
{
	const struct hp_frame again = frame_of(item, 1, i);

	return frame->entry_ns && frame->sp == again.sp && frame->entry_ns == again.entry_ns &&
	       frame->entity == again.entity;
}

static bool is_alive(const struct item *item, const struct hp_flight_context *context,
		     const struct hp_frame *frame, uint32_t i)
{
	uint64_t word;
	uint8_t mode;

	if (frame->entity == 0 || frame->entity >= context->nentities || frame->sp < item->head.sp)
		return false;
	mode = context->mode_of(context->arg, frame->entity);
	if (mode == HP_MODE_EXITS || mode == HP_MODE_GO)
		return context->controls[frame->entity].generation != 0;
	memcpy(&word, item->returns + i * sizeof(word), sizeof(word));
	return word && word == item->head.trampoline;
}

static int push(struct hp_functions_flight *flight, const struct item *item, size_t outermost,
		const struct hp_frame *frame)
{
	uint64_t now = item->head.hdr.ts_ns;
	struct hp_flight_call call = {
		.entity = frame->entity,
		.tid = item->head.hdr.tid,
		.elapsed_ns = now > frame->entry_ns ? now - frame->entry_ns : 0,
		.outermost = outermost,
		.nframes = (uint32_t)(flight->frames.len - outermost) + 1,
	};
	int r;

	if (flight->calls.len == HP_FLIGHT_MAX_CALLS) {
		flight->left_out++;
		return 0;
	}
	r = hp_vec_push(&flight->frames, ((struct hp_flight_frame){call.entity, call.elapsed_ns}));
	if (r == 0)
		r = hp_vec_push(&flight->calls, call);
	return r;
}

long hp_functions_flight_add(struct hp_functions_flight *flight,
			     const struct hp_flight_context *context, const void *data, size_t size)
{
	size_t outermost = flight->frames.len;
	struct item item;
	uint32_t depths[2], common;
	int r = take(data, size, &item);

	if (r <= 0)
		return r;
	for (int i = 0; i < 2; i++)
		depths[i] = depth_of(&item, i);
	common = depths[0] < depths[1] ? depths[0] : depths[1];
	flight->moving += depths[0] + depths[1] - 2 * common;
	for (uint32_t i = 0; i < common; i++) {
		const struct hp_frame frame = frame_of(&item, 0, i);

		if (!is_steady(&item, &frame, i)) {
			flight->moving += common - i;
			break;
		}
		if (!is_alive(&item, context, &frame, i)) {
			flight->gone++;
			continue;
		}
		r = push(flight, &item, outermost, &frame);
		if (r < 0)
			return r;
	}
	flight->threads += flight->frames.len > outermost;
	return (long)item.size;
}

static int by_entity(const void *a, const void *b)
{
	const struct hp_flight_call *left = a, *right = b;

	if (left->entity != right->entity)
		return left->entity < right->entity ? -1 : 1;
	if (left->elapsed_ns != right->elapsed_ns)
		return left->elapsed_ns < right->elapsed_ns ? 1 : -1;
	return left->tid < right->tid ? -1 : left->tid > right->tid;
}

void hp_functions_flight_end(struct hp_functions_flight *flight)
{
	if (flight->calls.len)
		qsort(flight->calls.data, flight->calls.len, sizeof(*flight->calls.data),
		      by_entity);
}

const struct hp_flight_call *hp_functions_flight_find(const struct hp_functions_flight *flight,
						      uint32_t entity, size_t *ret_n)
{
	size_t low = 0, high = flight->calls.len, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (flight->calls.data[middle].entity < entity)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < flight->calls.len && flight->calls.data[end].entity == entity;)
		end++;
	*ret_n = end - low;
	return end > low ? &flight->calls.data[low] : NULL;
}
