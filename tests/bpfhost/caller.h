/*
 * A program that is being profiled: it calls, jumps, returns and unwinds on the simulated machine
 * as a real one does on x86-64, fires the probes that the kernel would fire, and keeps plain books
 * of what is true.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host.h"

/* How the end of a call is seen. */
enum ending { RETURN_PROBE, EXIT_PROBES, SESSION };

struct call {
	__u32 entity;
	enum ending ending;
	__u64 *sp;
	__u64 entry_ns, children_ns, cookie;
	bool asked;   /* SESSION: the entry asked for a return */
	__u64 number; /* of all calls: its arguments are made of it */
};

struct caller {
	struct host_thread *thread;
	struct call calls[HOST_WORDS]; /* the last is the innermost */
	size_t depth;
	__u64 left;    /* calls that an unwinding left without a return */
	__u64 numbers; /* that calls have got */
};

/*
 * Exact figures, by entity, of all callers. `hits` and finished calls; inv_min as in struct
 * hp_cell.
 */
static struct hp_cell truth[HOST_ENTITIES];

static inline void caller_init(struct caller *caller, unsigned thread)
{
	memset(caller, 0, sizeof(*caller));
	caller->thread = &host.threads[thread];
}

/* With arguments and a result that tell which call it is. */
static inline struct pt_regs regs_of(const struct call *call, __u64 *sp)
{
	return (struct pt_regs){.sp = (unsigned long)sp,
				.cookie = HP_COOKIE(call->entity, 1),
				.di = call->number,
				.si = ~call->number,
				.ax = 3 * call->number};
}

struct programs {
	int (*session)(struct pt_regs *ctx);
	int (*paired)(struct pt_regs *ctx);
	int (*entry)(struct pt_regs *ctx);
	int (*ret)(struct pt_regs *ctx);
	int (*exit)(struct pt_regs *ctx);
};

static inline const struct programs *programs_of(const struct call *call)
{
	static const struct programs plain = {hp_function_session, hp_function_paired,
					      hp_function_entry, hp_function_return,
					      hp_function_exit};
	static const struct programs values = {hp_values_session, hp_values_paired, hp_values_entry,
					       hp_values_return, hp_values_exit};

	return host.has_spec[call->entity] ? &values : &plain;
}

static inline void fire_entry(struct caller *caller, struct call *call)
{
	struct pt_regs regs = regs_of(call, call->sp);

	host.current = caller->thread;
	caller->thread->utask.depth = (unsigned)caller->depth;
	if (call->ending == SESSION) {
		host.session_return = false;
		host.session_cookie = &call->cookie;
		call->asked = programs_of(call)->session(&regs) == 0;
	} else if (call->ending == RETURN_PROBE) {
		programs_of(call)->paired(&regs);
	} else {
		programs_of(call)->entry(&regs);
	}
	if (call->ending == RETURN_PROBE || call->asked)
		*call->sp = HOST_TRAMPOLINE;
}

static inline void fire_end(struct caller *caller, struct call *call)
{
	struct pt_regs regs = regs_of(call, call->sp + 1);

	host.current = caller->thread;
	if (call->ending == SESSION) {
		host.session_return = true;
		host.session_cookie = &call->cookie;
		if (call->asked)
			programs_of(call)->session(&regs);
	} else if (call->ending == RETURN_PROBE) {
		programs_of(call)->ret(&regs);
	} else {
		regs.sp -= 8; /* at the ret or jump, not behind it */
		programs_of(call)->exit(&regs);
	}
}

static inline void begin(struct caller *caller, __u32 entity, enum ending ending, __u64 *sp)
{
	struct call *call = &caller->calls[caller->depth];

	*call = (struct call){
		.entity = entity, .ending = ending, .sp = sp, .number = ++caller->numbers};
	call->entry_ns = host.now_ns;
	fire_entry(caller, call);
	caller->depth++;
	truth[entity].hits++;
}

/* A call whose return address lies @words below that of the innermost call. */
static inline void do_call(struct caller *caller, __u32 entity, enum ending ending, unsigned words)
{
	__u64 *sp = caller->thread->stack + HOST_WORDS - 2;

	if (caller->depth)
		sp = caller->calls[caller->depth - 1].sp;
	sp -= words;
	assert_true(sp >= caller->thread->stack);
	*sp = 0x401000; /* pushed by the call instruction */
	begin(caller, entity, ending, sp);
}

/* The innermost call ends: its books, and those of its caller. */
static inline void finish(struct caller *caller)
{
	struct call *call = &caller->calls[caller->depth - 1];
	struct hp_cell *cell = &truth[call->entity];
	__u64 duration = host.now_ns - call->entry_ns;

	fire_end(caller, call);
	caller->depth--;
	if (caller->depth)
		caller->calls[caller->depth - 1].children_ns += duration;
	cell->count++;
	cell->sum_ns += duration;
	cell->self_ns += duration - call->children_ns;
	cell->max_ns = duration > cell->max_ns ? duration : cell->max_ns;
	cell->inv_min = ~duration > cell->inv_min ? ~duration : cell->inv_min;
}

/* The innermost call jumps to @entity, which returns for both. */
static inline void do_tail_call(struct caller *caller, __u32 entity, enum ending ending)
{
	__u64 *sp = caller->calls[caller->depth - 1].sp;

	if (caller->calls[caller->depth - 1].ending == EXIT_PROBES)
		finish(caller);
	begin(caller, entity, ending, sp);
}

static inline void do_return(struct caller *caller)
{
	__u64 *sp = caller->calls[caller->depth - 1].sp;

	while (caller->depth && caller->calls[caller->depth - 1].sp == sp)
		finish(caller);
}

/*
 * longjmp or an exception: at least @n calls end without a return; those that share a return
 * address go together.
 */
static inline void do_unwind(struct caller *caller, size_t n)
{
	while (caller->depth && n) {
		__u64 *sp = caller->calls[caller->depth - 1].sp;

		caller->depth--;
		caller->left++;
		n--;
		if (n == 0 && caller->depth && caller->calls[caller->depth - 1].sp == sp)
			n = 1;
	}
}
