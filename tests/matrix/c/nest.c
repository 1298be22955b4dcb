/* Plain calls: nested, with every kind of argument and result, indirect, with a big frame. */
#include <stdarg.h>

#include "matrix.h"

MX_FUNCTION(fn_leaf)
MX_FUNCTION(fn_outer)
MX_FUNCTION(fn_many)
MX_FUNCTION(fn_double)
MX_FUNCTION(fn_struct)
MX_FUNCTION(fn_varargs)
MX_FUNCTION(fn_frame)

struct big {
	uint64_t a, b, c, d;
};

MX_TRACED uint64_t fn_leaf(uint64_t x)
{
	MX_ENTER(fn_leaf);
	return x * 3 + 1;
}

MX_TRACED uint64_t fn_outer(uint64_t x)
{
	uint64_t y = fn_leaf(x) + fn_leaf(x + 1);

	MX_ENTER(fn_outer);
	return y + 1;
}

MX_TRACED uint64_t fn_many(int a, long b, char c, short d, int e, int f, long g, int h, double i)
{
	MX_ENTER(fn_many);
	return (uint64_t)(a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + (long)i);
}

MX_TRACED double fn_double(double x, float y, long double z)
{
	MX_ENTER(fn_double);
	return x * 2 + (double)y + (double)z;
}

MX_TRACED struct big fn_struct(struct big in)
{
	MX_ENTER(fn_struct);
	return (struct big){in.d, in.c, in.b, in.a};
}

MX_TRACED uint64_t fn_varargs(int n, ...)
{
	uint64_t sum = 0;
	va_list args;

	MX_ENTER(fn_varargs);
	va_start(args, n);
	for (int i = 0; i < n; i++)
		sum += i & 1 ? (uint64_t)va_arg(args, double) : va_arg(args, uint64_t);
	va_end(args);
	return sum;
}

/* Realigned, and larger than a page, so that it is probed page by page with some flags. */
MX_TRACED uint64_t fn_frame(uint64_t x)
{
	volatile uint64_t values[1200] __attribute__((aligned(64)));

	MX_ENTER(fn_frame);
	values[x % 1200] = x;
	values[1199] = fn_leaf(x);
	return values[x % 1200] + values[1199] + ((uintptr_t)values & 63);
}

MX_UNIT(nest)
{
	uint64_t (*volatile pointer)(uint64_t) = fn_outer;
	uint64_t wrong = 0;

	for (unsigned i = 0; i < rounds; i++) {
		struct big big = fn_struct((struct big){i, 2, 3, 4});

		wrong += fn_outer(i) != 6 * i + 6;
		wrong += pointer(i) != 6 * i + 6;
		wrong += fn_many(1, 2, 3, 4, 5, 6, 7, 8, i) != 204 + i;
		wrong += fn_double(i, 0.5f, 2.25L) != 2 * i + 2.75;
		wrong += big.a != 4 || big.b != 3 || big.c != 2 || big.d != i;
		wrong += fn_varargs(4, (uint64_t)i, 2.0, (uint64_t)3, 4.0) != i + 9;
		wrong += fn_frame(i) != 4 * i + 1;
	}
	return wrong;
}
