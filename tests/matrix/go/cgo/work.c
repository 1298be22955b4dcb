/* The C half: counts of its own. */
#include <string.h>

#include "_cgo_export.h"

static long counts[2], skipped[2];

void c_count(long *entries, long *left);
int c_outer(int n);
int c_inner(int n);

__attribute__((noinline)) int c_inner(int n)
{
	volatile char pad[200];

	__atomic_add_fetch(&counts[1], 1, __ATOMIC_RELAXED);
	memset((void *)pad, n, sizeof(pad));
	if (n % 5 == 0) /* its callee panics */
		__atomic_add_fetch(&skipped[1], 1, __ATOMIC_RELAXED);
	return goBack(n) + pad[7] - (signed char)n;
}

__attribute__((noinline)) int c_outer(int n)
{
	__atomic_add_fetch(&counts[0], 1, __ATOMIC_RELAXED);
	if (n % 5 == 0)
		__atomic_add_fetch(&skipped[0], 1, __ATOMIC_RELAXED);
	return c_inner(n) + n;
}

void c_count(long *entries, long *left)
{
	memcpy(entries, counts, sizeof(counts));
	memcpy(left, skipped, sizeof(skipped));
	memset(counts, 0, sizeof(counts));
	memset(skipped, 0, sizeof(skipped));
}
