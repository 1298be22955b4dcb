/* Tail calls, where the optimiser makes them (trap:U8): plain, sibling, mutual, through pointers, in long chains. */
#include "matrix.h"

#define CHAIN 200
#define TIMED 63 /* the unit takes one level */

MX_FUNCTION(fn_target)
MX_FUNCTION(fn_tail)
MX_FUNCTION(fn_tail_tail)
MX_FUNCTION(fn_sibling)
MX_FUNCTION(fn_by_pointer)
MX_FUNCTION(fn_ping)
MX_FUNCTION(fn_pong)
MX_FUNCTION(fn_chain)

MX_TRACED uint64_t fn_target(uint64_t x)
{
	MX_ENTER(fn_target);
	return x + 5;
}

MX_TRACED uint64_t fn_tail(uint64_t x)
{
	MX_ENTER(fn_tail);
	return fn_target(x + 1);
}

MX_TRACED uint64_t fn_tail_tail(uint64_t x)
{
	MX_ENTER(fn_tail_tail);
	return fn_tail(x + 1);
}

/* A call before the tail call, and one of two. */
MX_TRACED uint64_t fn_sibling(uint64_t x)
{
	uint64_t y = fn_target(x);

	MX_ENTER(fn_sibling);
	return y & 1 ? fn_target(y) : fn_tail(y);
}

static uint64_t (*volatile target)(uint64_t x);

MX_TRACED uint64_t fn_by_pointer(uint64_t x)
{
	MX_ENTER(fn_by_pointer);
	MX_ADD(fn_by_pointer, jumps, 1);
	return target(x);
}

MX_TRACED uint64_t fn_pong(unsigned n);

MX_TRACED uint64_t fn_ping(unsigned n)
{
	MX_ENTER(fn_ping);
	return n ? fn_pong(n - 1) : 1;
}

MX_TRACED uint64_t fn_pong(unsigned n)
{
	MX_ENTER(fn_pong);
	return n ? fn_ping(n - 1) : 2;
}

static uint64_t (*volatile next_link)(uint64_t n);

MX_TRACED uint64_t fn_chain(uint64_t n)
{
	MX_ENTER(fn_chain);
	if (n == 1)
		return 7;
	MX_ADD(fn_chain, jumps, 1);
	return next_link(n - 1);
}

MX_UNIT(tail)
{
	uint64_t wrong = 0;

	target = fn_target;
	next_link = fn_chain;
	for (unsigned i = 0; i < rounds; i++) {
		wrong += fn_tail(i) != i + 6;
		wrong += fn_tail_tail(i) != i + 7;
		wrong += fn_sibling(i) != i + (i & 1 ? 11 : 10);
		wrong += fn_by_pointer(i) != i + 5;
		wrong += fn_ping(40) != 1 || fn_ping(41) != 2;
		wrong += fn_chain(CHAIN) != 7;
	}
	MX_ADD(fn_chain, deep, (CHAIN - TIMED) * rounds);
	return wrong;
}
