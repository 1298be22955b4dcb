#pragma once

#include "hotpathd/abi/types.h"

/*
 * Counters of what BPF produced, lost or could not know (house style rule 21). One cell per CPU and
 * counter: index = cpu * HP_NSTATS + counter. The names reach /profiler_status. Append only.
 */
#define HP_STATS(X)                                                                                \
	X(RECORDS, "records")                     /* reserved in a ring */                         \
	X(RING_FULL, "ring_full")                 /* records not written: ring full */             \
	X(SHADOW_MISSING, "shadow_stack_missing") /* no task storage: call has no self time */     \
	X(SHADOW_FULL, "shadow_stack_full")       /* frames beyond HP_SHADOW_DEPTH */              \
	X(SHADOW_SUPERSEDED, "exits_skipped")     /* frames left by longjmp, exception ... */      \
	X(RETURN_UNMATCHED, "returns_unmatched")  /* return whose entry was not seen */            \
	X(RETURN_TOO_DEEP, "returns_too_deep")    /* entries beyond the kernel's 64 levels */      \
	X(STACK_FAILED, "cpu_stacks_failed")      /* sample without a user stack */                \
	X(STACK_CUT, "cpu_stacks_truncated")      /* stack longer than HP_MAX_USER_STACK */        \
	X(PAUSED, "calls_while_paused") /* entries while the daemon was late or detaching */       \
	X(CLAMPED, "durations_clamped") /* shorter than the probes in it are said to cost */       \
	X(HITS, "hits")                 /* of all functions; no loss: the guard's trip wire */     \
	X(SIGNAL_STACK, "calls_on_signal_stack")   /* untimed: a return would end the program */   \
	X(GOROUTINE_FULL, "goroutine_stacks_full") /* untimed: no room for a shadow stack */       \
	X(GOROUTINE_UNKNOWN, "goroutines_unknown") /* untimed: r14 is not the goroutine */         \
	X(VALUES_MISSING, "values_missing") /* calls without --args values: no task storage */     \
	X(VALUES_PUSHED_OUT,                                                                       \
	  "args_pushed_out") /* over HP_VALUE_SLOTS calls in progress in a thread */               \
	X(SLOW_SKIPPED, "slow_stacks_skipped") /* over the rate, or the ring was full */           \
	X(SLOW_STACKS, "slow_stacks")          /* no loss: records of stacks */                    \
	X(STACK_GUESSED, "cpu_stacks_guessed") /* no loss: some frames by frame pointers */        \
	X(STACK_NO_TABLE,                                                                          \
	  "cpu_stacks_no_table") /* cut: no unwind information, no frame pointer */                \
	X(STACK_UNKNOWN_RULE, "cpu_stacks_unknown_rule") /* cut: a rule that is not supported */   \
	X(STACK_UNREADABLE, "cpu_stacks_unreadable") /* cut: user memory not resident (trap:S3) */ \
	X(STACK_NO_PROGRESS, "cpu_stacks_no_progress") /* cut: the stack does not grow */          \
	X(OFFCPU_MISSING, "offcpu_threads_missing") /* no task storage: a thread has no times */   \
	X(OFFCPU_LOST, "offcpu_records_lost") /* waits without their stack: the ring was full */   \
	X(TIMELINE_MISSING, "timeline_threads_missing") /* no task storage: not in a timeline */   \
	X(TIMELINE_LOST, "timeline_records_lost") /* absences not in a timeline: ring full */      \
	X(ALLOC_MISSING, "alloc_threads_missing") /* no task storage: requests are not counted */  \
	X(ALLOC_LOST, "alloc_records_lost") /* drawn requests and releases: the ring was full */

/* clang-format off */
enum hp_stat {
#define X(name, text) HP_STAT_##name,
	HP_STATS(X)
#undef X
	HP_NSTATS,
};
/* clang-format on */
