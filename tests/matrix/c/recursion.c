/* Recursion: double, mutual, and through a pointer, all within the kernel's 64 levels. */
#include "matrix.h"

MX_FUNCTION(fn_fib)
MX_FUNCTION(fn_is_even)
MX_FUNCTION(fn_is_odd)
MX_FUNCTION(fn_walk)

MX_TRACED uint64_t fn_fib(unsigned n)
{
	uint64_t a, b;

	MX_ENTER(fn_fib);
	if (n < 2)
		return n;
	a = fn_fib(n - 1);
	b = fn_fib(n - 2);
	MX_NO_TAIL_CALL();
	return a + b;
}

MX_TRACED uint64_t fn_is_odd(unsigned n);

MX_TRACED uint64_t fn_is_even(unsigned n)
{
	uint64_t r;

	MX_ENTER(fn_is_even);
	if (n == 0)
		return 1;
	r = fn_is_odd(n - 1);
	MX_NO_TAIL_CALL();
	return r;
}

MX_TRACED uint64_t fn_is_odd(unsigned n)
{
	uint64_t r;

	MX_ENTER(fn_is_odd);
	if (n == 0)
		return 0;
	r = fn_is_even(n - 1);
	MX_NO_TAIL_CALL();
	return r;
}

static uint64_t (*volatile step)(unsigned n);

MX_TRACED uint64_t fn_walk(unsigned n)
{
	uint64_t below;

	MX_ENTER(fn_walk);
	below = n ? step(n - 1) : 0;
	MX_NO_TAIL_CALL();
	return below + 2;
}

MX_UNIT(recursion)
{
	uint64_t wrong = 0;

	step = fn_walk;
	for (unsigned i = 0; i < rounds; i++) {
		wrong += fn_fib(9) != 34;
		wrong += fn_is_even(40 + i % 20) != (i % 2 == 0);
		wrong += fn_walk(62) != 126;
	}
	return wrong;
}
