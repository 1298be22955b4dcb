/* longjmp over probed frames (trap:U7), also out of a signal handler, and back into the same depth again. */
#include <setjmp.h>
#include <signal.h>

#include "matrix.h"

MX_FUNCTION(fn_land)
MX_FUNCTION(fn_pass)
MX_FUNCTION(fn_throw)
MX_FUNCTION(fn_after)
MX_FUNCTION(fn_faulty)

static jmp_buf pad;
static sigjmp_buf fault_pad;

MX_TRACED void fn_throw(int value)
{
	MX_ENTER(fn_throw);
	MX_ADD(fn_throw, left, 1);
	longjmp(pad, value);
}

MX_TRACED int fn_pass(int levels, int value)
{
	int r = 0;

	MX_ENTER(fn_pass);
	MX_ADD(fn_pass, left, 1);
	if (levels)
		r = fn_pass(levels - 1, value);
	else
		fn_throw(value);
	MX_NO_TAIL_CALL();
	return r;
}

MX_TRACED int fn_after(int value)
{
	MX_ENTER(fn_after);
	return value + 1;
}

MX_TRACED int fn_land(int levels, int value)
{
	int got;

	MX_ENTER(fn_land);
	got = setjmp(pad);
	if (got == 0)
		return fn_pass(levels, value) - 1;
	got = fn_after(got);
	MX_NO_TAIL_CALL();
	return got;
}

static void on_fault(int number)
{
	(void)number;
	siglongjmp(fault_pad, 3);
}

MX_TRACED int fn_faulty(volatile int *where)
{
	MX_ENTER(fn_faulty);
	MX_ADD(fn_faulty, left, 1);
	return *where;
}

MX_UNIT(jump)
{
	int *volatile nowhere = (int *)16;
	volatile uint64_t wrong = 0;

	signal(SIGSEGV, on_fault);
	for (unsigned i = 0; i < rounds; i++) {
		wrong += fn_land((int)(i % 30), (int)i + 1) != (int)i + 2;
		if (sigsetjmp(fault_pad, 1) == 0)
			wrong += fn_faulty(nowhere) != 0 || 1;
		wrong += fn_after(1) != 2;
	}
	signal(SIGSEGV, SIG_DFL);
	return wrong;
}
