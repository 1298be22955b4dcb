/* Shapes of code: jump tables, computed goto, early returns, loops to the entry, callbacks from libc, constant results. */
#include <stdlib.h>

#include "matrix.h"

MX_FUNCTION(fn_switch)
MX_FUNCTION(fn_goto)
MX_FUNCTION(fn_early)
MX_FUNCTION(fn_loop)
MX_FUNCTION(fn_compare)
MX_FUNCTION(fn_nothing)
MX_FUNCTION(fn_alloca)

MX_TRACED uint64_t fn_nothing(void)
{
	MX_ENTER(fn_nothing);
	return 0;
}

MX_TRACED uint64_t fn_switch(unsigned kind, uint64_t x)
{
	MX_ENTER(fn_switch);
	switch (kind) {
	case 0:
		return x + 1;
	case 1:
		return x * 7;
	case 2:
		return fn_nothing() + x;
	case 3:
		return x ^ 5;
	case 4:
		return x / 3;
	case 5:
		return ~x;
	default:
		return 9;
	}
}

MX_TRACED uint64_t fn_goto(const unsigned char *program)
{
	static const void *const labels[] = {&&add, &&twice, &&stop};
	uint64_t x = 1;

	MX_ENTER(fn_goto);
	goto *labels[*program++];
add:
	x += 3;
	goto *labels[*program++];
twice:
	x *= 2;
	goto *labels[*program++];
stop:
	return x;
}

MX_TRACED uint64_t fn_early(uint64_t x)
{
	MX_ENTER(fn_early);
	if (x == 0)
		return 1;
	if (x == 1)
		return fn_nothing() + 2;
	for (uint64_t i = 2; i < x; i++) {
		if (i * i > x)
			return i;
	}
	return 3;
}

MX_TRACED uint64_t fn_loop(uint64_t n)
{
	uint64_t sum = 0;

	MX_ENTER(fn_loop);
	do {
		sum += n;
		MX_HIDE(sum);
	} while (n-- > 1);
	return sum;
}

MX_TRACED int fn_compare(const void *a, const void *b)
{
	MX_ENTER(fn_compare);
	return *(const int *)a - *(const int *)b;
}

MX_TRACED uint64_t fn_alloca(size_t n)
{
	volatile unsigned char *bytes = __builtin_alloca(n);

	MX_ENTER(fn_alloca);
	bytes[0] = 1;
	bytes[n - 1] = 2;
	return bytes[0] + (uint64_t)(bytes[n - 1]) + fn_nothing();
}

MX_UNIT(shapes)
{
	static const uint64_t wanted[] = {21, 140, 20, 17, 6, ~(uint64_t)20, 9};
	static const unsigned char program[] = {0, 1, 1, 0, 2};
	uint64_t wrong = 0;

	for (unsigned i = 0; i < rounds; i++) {
		int numbers[] = {5, 3, 9, 1, 7, 2, 8};

		wrong += fn_switch(i % 7, 20) != wanted[i % 7];
		wrong += fn_goto(program) != 19;
		wrong += fn_early(i % 3 * 10) != (i % 3 == 0 ? 1 : i % 3 == 1 ? 4 : 5);
		wrong += fn_loop(i % 9 + 1) != (i % 9 + 1) * (i % 9 + 2) / 2;
		wrong += fn_alloca(i * 100 + 2) != 3;
		qsort(numbers, 7, sizeof(int), fn_compare);
		wrong += numbers[0] != 1 || numbers[3] != 5 || numbers[6] != 9;
	}
	return wrong;
}
