/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#pragma once

/*
 * Arguments and results of calls (--args). The probe of such a function stands where no argument has changed yet
 * (probe/site), and copies registers, words of the stack and texts into a slot of the thread; the end of the call adds the
 * result, and the slot goes into the ring as the call's record.
 *
 * The slot is that of the call's depth on the shadow stack, modulo HP_VALUE_SLOTS, so that an outer call's stays
 * while inner ones come and go. Nothing is popped: a slot belongs to a call if entity, stack pointer and time of entry are
 * the call's, and the time differs from call to call. So what exceptions, longjmp, lost returns or deep
 * recursion do to slots can lose arguments (counted), never attach them to another call.
 *
 * The clock is read after copying, so that this is no part of the call's duration, and what copying took is
 * charged to the call around it as the cost of probes. Vector registers (floating point) are out of reach: a
 * probe's program gets the general registers only; the kernel does not save the others when a breakpoint is
 * hit, and there is no helper that reads them.
 */
#include "hotpathd/abi/values.h"
#include "lib/maps.bpf.h"
#include "lib/shadow.bpf.h"

/*
 * By entity. A hash, since only a few functions have one, and it is looked up for these only. User space writes it
 * before the first hit and sets the size.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hp_values_spec);
} hp_value_specs SEC(".maps");

/* 9 KiB, for threads that call such functions. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct hp_values_store);
} hp_value_stores SEC(".maps");

/* The compiler checks another copy of @value than the one that it uses, where it may: the verifier loses the bound. */
#define HP_PIN(value) asm volatile("" : "+r"(value))

/* What hp_values_end() needs of a call. */
struct hp_values_end {
	struct hp_call_event call;
	__u64 entry_ns, sp;
};

enum { HP_VALUES_SENT, HP_VALUES_LOST, HP_VALUES_UNKNOWN };

#define HP_USER_PAGE 4096

/*
 * Copies a text of @length bytes, or that ends in NUL if @length is ~0. A global function: the verifier looks at it once.
 */
__attribute__((noinline)) int hp_text_copy(struct hp_value_text *text, __u64 addr, __u64 length)
{
	__u64 left = HP_USER_PAGE - (addr & (HP_USER_PAGE - 1));
	long n;

	if (!text)
		return 0;
	text->state = HP_TEXT_UNREADABLE;
	text->len = 0;
	if (length != ~0ull) {
		n = length > HP_TEXT_BYTES ? HP_TEXT_BYTES : length;
		if (bpf_probe_read_user(text->bytes, n, (const void *)addr) == 0) {
			text->state = length > HP_TEXT_BYTES ? HP_TEXT_CUT : HP_TEXT_WHOLE;
			text->len = n;
		}
		return 0;
	}
	/* The count includes the NUL; a full one may have been cut. */
	n = bpf_probe_read_user_str(text->bytes, HP_TEXT_BYTES + 2, (const void *)addr);
	if (n > 0) {
		text->state = n > HP_TEXT_BYTES + 1 ? HP_TEXT_CUT : HP_TEXT_WHOLE;
		text->len = n > HP_TEXT_BYTES + 1 ? HP_TEXT_BYTES : n - 1;
	} else if (left <= HP_TEXT_BYTES &&
		   bpf_probe_read_user(text->bytes, left, (const void *)addr) == 0) {
		text->state = HP_TEXT_ENDLESS;
		text->len = left;
	}
	return 0;
}

static __always_inline void hp_text_take(const struct hp_values_event *slot,
					 struct hp_value_text *text, struct hp_value_text_spec spec)
{
	__u64 length = ~0ull;

	if (spec.length != HP_NO_WORD)
		length = slot->words[spec.length & (HP_VALUE_WORDS - 1)];
	hp_text_copy(text, slot->words[spec.word & (HP_VALUE_WORDS - 1)], length);
}

static __always_inline void hp_values_copy(const struct pt_regs *ctx,
					   const struct hp_values_spec *spec,
					   struct hp_values_event *slot)
{
	__u64 stack = spec->nstack;

	slot->words[0] = ctx->di;
	slot->words[1] = ctx->si;
	slot->words[2] = ctx->dx;
	slot->words[3] = ctx->cx;
	slot->words[4] = ctx->r8;
	slot->words[5] = ctx->r9;
	slot->stack_unread = 0;
	HP_PIN(stack);
	if (stack && stack <= HP_WORD_STACK)
		slot->stack_unread = bpf_probe_read_user(&slot->words[HP_WORD_REGS], stack * 8,
							 (const void *)(ctx->sp + 8)) != 0;
	for (int i = 0; i < HP_VALUE_TEXTS; i++) {
		if (i < spec->ntexts)
			hp_text_take(slot, &slot->texts[i], spec->texts[i]);
	}
}

/* Charges the call around the innermost one with @ns. */
static __always_inline void hp_values_charge(struct hp_shadow *shadow, __u64 ns)
{
	__u32 depth = shadow->depth;
	struct hp_frame *frame;
	__u64 sum;

	if (depth < 2)
		return;
	frame = &shadow->frames[(depth - 2) & (HP_SHADOW_DEPTH - 1)];
	sum = frame->probe_ns + ns;
	frame->probe_ns = sum > 0xffffffff ? 0xffffffff : sum;
}

/* The call of @entity that has just begun, at @entered; returns when it begins now that its arguments are kept. */
static __always_inline __u64 hp_values_begin(const struct pt_regs *ctx, __u32 entity,
					     struct hp_shadow *shadow, __u64 entered,
					     bool compensate)
{
	const struct hp_values_spec *spec = bpf_map_lookup_elem(&hp_value_specs, &entity);
	__u32 depth = shadow->depth - 1;
	struct hp_values_store *store;
	struct hp_values_event *slot;
	struct hp_frame *frame;
	__u64 now;

	if (!spec || depth >= HP_SHADOW_DEPTH)
		return entered;
	store = bpf_task_storage_get(&hp_value_stores, bpf_get_current_task_btf(), 0,
				     BPF_LOCAL_STORAGE_GET_F_CREATE);
	frame = &shadow->frames[depth & (HP_SHADOW_DEPTH - 1)];
	/* No frame: the shadow stack is full, and the slot that of another call. */
	if (!store || frame->sp != ctx->sp || frame->entry_ns != entered)
		return entered;
	slot = &store->slots[depth & (HP_VALUE_SLOTS - 1)];
	slot->entry_ns = 0;
	slot->call.entity = entity;
	slot->sp = ctx->sp;
	hp_values_copy(ctx, spec, slot);
	now = bpf_ktime_get_ns();
	if (compensate)
		hp_values_charge(shadow, now - entered);
	frame->entry_ns = now;
	slot->entry_ns = now;
	return now;
}

/* The slot of the call that has just ended; else one that says that its arguments are not known. */
static __always_inline struct hp_values_event *hp_values_slot(struct hp_values_store *store,
							      const struct hp_values_end *end,
							      const struct hp_shadow *shadow)
{
	__u32 depth = shadow ? shadow->depth : 0;
	struct hp_values_event *slot = &store->slots[depth & (HP_VALUE_SLOTS - 1)];

	if (slot->entry_ns == end->entry_ns && slot->sp == end->sp &&
	    slot->call.entity == end->call.entity)
		return slot;
	hp_count(HP_STAT_VALUES_PUSHED_OUT);
	slot = &store->slots[HP_VALUE_SLOTS];
	slot->entry_ns = 0;
	return slot;
}

static __always_inline int hp_values_send(const struct hp_values_end *end,
					  struct hp_values_event *slot, __u32 ntexts)
{
	void *ring = hp_ring();

	HP_PIN(ntexts);
	if (ntexts > HP_VALUE_TEXTS + 1)
		ntexts = HP_VALUE_TEXTS + 1;
	slot->ntexts = ntexts;
	slot->call = end->call;
	if (!ring ||
	    bpf_ringbuf_output(ring, slot, HP_VALUES_MIN + ntexts * sizeof(struct hp_value_text),
			       BPF_RB_NO_WAKEUP))
		return HP_VALUES_LOST;
	hp_count(HP_STAT_RECORDS);
	return HP_VALUES_SENT;
}

static __always_inline int hp_values_end(const struct pt_regs *ctx, const struct hp_values_end *end,
					 struct hp_shadow *shadow, bool compensate)
{
	__u32 entity = end->call.entity, ntexts;
	const struct hp_values_spec *spec = bpf_map_lookup_elem(&hp_value_specs, &entity);
	struct hp_values_store *store;
	struct hp_values_event *slot;
	__u64 start = bpf_ktime_get_ns();
	int sent;

	if (!spec)
		return HP_VALUES_UNKNOWN;
	store = bpf_task_storage_get(&hp_value_stores, bpf_get_current_task_btf(), 0,
				     BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!store) {
		hp_count(HP_STAT_VALUES_MISSING);
		return HP_VALUES_UNKNOWN;
	}
	slot = hp_values_slot(store, end, shadow);
	slot->words[HP_WORD_RAX] = ctx->ax;
	slot->words[HP_WORD_RDX] = ctx->dx;
	ntexts = spec->ntexts;
	if (spec->has_result_text && ntexts <= HP_VALUE_TEXTS) {
		hp_text_take(slot, &slot->texts[ntexts], spec->result_text);
		ntexts++;
	}
	sent = hp_values_send(end, slot, ntexts);
	slot->entry_ns = 0;
	if (shadow && compensate)
		hp_shadow_charge(shadow, bpf_ktime_get_ns() - start);
	return sent;
}
