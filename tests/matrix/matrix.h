/*
 * What the units of a matrix program share. A unit is a file with a few functions that count their own calls;
 * main.c runs the unit named on its input and prints what was counted, to be compared with what was measured.
 */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
#define MX_LINKAGE extern "C"
#else
#define MX_LINKAGE
#endif

/* A real function with its own symbol, whatever the optimiser would like to do with it. */
#if defined(__clang__) || defined(__cplusplus)
#define MX_TRACED __attribute__((noinline, used))
#else
#define MX_TRACED __attribute__((noipa, used))
#endif

/*
 * Of one function. Its calls are finished unless something passes them by (left), or the call is deeper than the
 * kernel's 64 levels (deep), or it leaves by a jump through a pointer (jumps), whose end not every way of timing sees.
 */
struct mx_counter {
	const char *name;
	uint64_t entries, left, deep, jumps;
} __attribute__((aligned(64)));

MX_LINKAGE void mx_register(struct mx_counter *counter);

/* Before the function: its counter, known to main.c without being listed anywhere. */
#define MX_FUNCTION_NAMED(id, text)                                     \
	static struct mx_counter mx_of_##id = {text, 0, 0, 0, 0};       \
	__attribute__((constructor)) static void mx_register_##id(void) \
	{                                                               \
		mx_register(&mx_of_##id);                               \
	}
#define MX_FUNCTION(id) MX_FUNCTION_NAMED(id, #id)

#define MX_ADD(id, member, n) \
	__atomic_fetch_add(&mx_of_##id.member, (uint64_t)(n), __ATOMIC_RELAXED)
#define MX_ENTER(id) MX_ADD(id, entries, 1)

/* After the last call of a function: makes that call no tail call. */
#define MX_NO_TAIL_CALL() __asm__ volatile("" ::: "memory")

/* Keeps a value from being known to the optimiser. */
#define MX_HIDE(value) __asm__ volatile("" : "+r"(value))

/* A unit: returns how many of its results were wrong. It is traced, too, and so one level of the 64. */
#define MX_UNIT(name) MX_LINKAGE MX_TRACED uint64_t mx_unit_##name(unsigned rounds)

/*
 * With -fexceptions: something to clean up while unwinding. It makes the program one that exceptions may pass, whose
 * functions are timed by probes on their exits (trap:U7).
 */
#ifdef MX_UNWINDS
static inline void mx_clean_up(int *value)
{
	MX_HIDE(*value);
}

__attribute__((used)) static void mx_cleans_up(void (*function)(void))
{
	int value __attribute__((cleanup(mx_clean_up))) = 0;

	function();
	MX_HIDE(value);
}
#endif
