/* Tail calls and recursion in code that exceptions may pass: timed by probes on exits. Deeper than 64 levels, too. */
#include "matrix.h"

#define DEPTH 200
#define TIMED 63 /* the unit takes one level */

MX_FUNCTION(fn_end)
MX_FUNCTION(fn_hop)
MX_FUNCTION(fn_hop_by_pointer)
MX_FUNCTION(fn_up)
MX_FUNCTION(fn_down)
MX_FUNCTION(fn_either)

MX_LINKAGE MX_TRACED uint64_t fn_end(uint64_t x)
{
	MX_ENTER(fn_end);
	return x + 5;
}

MX_LINKAGE MX_TRACED uint64_t fn_hop(uint64_t x)
{
	MX_ENTER(fn_hop);
	return fn_end(x + 1);
}

static uint64_t (*volatile end)(uint64_t x);

MX_LINKAGE MX_TRACED uint64_t fn_hop_by_pointer(uint64_t x)
{
	MX_ENTER(fn_hop_by_pointer);
	MX_ADD(fn_hop_by_pointer, jumps, 1);
	return end(x + 1);
}

MX_LINKAGE MX_TRACED uint64_t fn_either(uint64_t x)
{
	uint64_t y = fn_end(x);

	MX_ENTER(fn_either);
	return y & 1 ? fn_hop(y) : fn_end(y);
}

MX_LINKAGE MX_TRACED uint64_t fn_up(unsigned n);

MX_LINKAGE MX_TRACED uint64_t fn_down(unsigned n)
{
	uint64_t r;

	MX_ENTER(fn_down);
	r = n > 1 ? fn_up(n - 1) : 0;
	MX_NO_TAIL_CALL();
	return r + 1;
}

MX_LINKAGE MX_TRACED uint64_t fn_up(unsigned n)
{
	uint64_t r;

	MX_ENTER(fn_up);
	r = n > 1 ? fn_down(n - 1) : 0;
	MX_NO_TAIL_CALL();
	return r + 1;
}

MX_UNIT(tails)
{
	uint64_t wrong = 0;

	end = fn_end;
	for (unsigned i = 0; i < rounds; i++) {
		wrong += fn_hop(i) != i + 6;
		wrong += fn_hop_by_pointer(i) != i + 6;
		wrong += fn_either(i) != i + 10 + (i & 1 ? 0 : 1);
		wrong += fn_up(30) != 30;
		wrong += fn_up(DEPTH) != DEPTH;
	}
	MX_ADD(fn_up, deep, (DEPTH - TIMED) / 2 * rounds);
	MX_ADD(fn_down, deep, (DEPTH - TIMED + 1) / 2 * rounds);
	return wrong;
}
