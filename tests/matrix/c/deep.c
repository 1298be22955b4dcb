/* 200 levels deep, alone and in pairs (trap:U6): the kernel gives no return below 64, and none is lost quietly. */
#include "matrix.h"

#define DEPTH 200
#define TIMED 63 /* the unit takes one level */

MX_FUNCTION(fn_deep)
MX_FUNCTION(fn_deep_a)
MX_FUNCTION(fn_deep_b)

MX_TRACED uint64_t fn_deep(unsigned n)
{
	uint64_t below = 0;

	MX_ENTER(fn_deep);
	if (n > 1)
		below = fn_deep(n - 1);
	MX_NO_TAIL_CALL();
	return below + 1;
}

MX_TRACED uint64_t fn_deep_b(unsigned n);

MX_TRACED uint64_t fn_deep_a(unsigned n)
{
	uint64_t below = 0;

	MX_ENTER(fn_deep_a);
	if (n > 1)
		below = fn_deep_b(n - 1);
	MX_NO_TAIL_CALL();
	return below + 1;
}

MX_TRACED uint64_t fn_deep_b(unsigned n)
{
	uint64_t below = 0;

	MX_ENTER(fn_deep_b);
	if (n > 1)
		below = fn_deep_a(n - 1);
	MX_NO_TAIL_CALL();
	return below + 1;
}

MX_UNIT(deep)
{
	uint64_t wrong = 0;

	for (unsigned i = 0; i < rounds; i++) {
		wrong += fn_deep(DEPTH) != DEPTH;
		wrong += fn_deep_a(DEPTH) != DEPTH;
	}
	MX_ADD(fn_deep, deep, (DEPTH - TIMED) * rounds);
	MX_ADD(fn_deep_a, deep, (DEPTH - TIMED) / 2 * rounds);
	MX_ADD(fn_deep_b, deep, (DEPTH - TIMED + 1) / 2 * rounds);
	return wrong;
}
