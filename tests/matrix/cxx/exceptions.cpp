/* Exceptions through probed frames (trap:U7): with destructors, caught at several levels, thrown again, out of callbacks. */
#include <stdexcept>
#include <string>

#include "matrix.h"

namespace {

MX_FUNCTION_NAMED(thrower, "fn_thrower")
MX_FUNCTION_NAMED(middle, "fn_middle")
MX_FUNCTION_NAMED(catcher, "fn_catcher")
MX_FUNCTION_NAMED(rethrower, "fn_rethrower")
MX_FUNCTION_NAMED(outermost, "fn_outermost")

uint64_t unwound;

struct Local {
	~Local()
	{
		unwound++;
	}
};

} // namespace

/* Throws on every third call; that call has an entry and no end. */
MX_LINKAGE MX_TRACED int fn_thrower(int i)
{
	MX_ENTER(thrower);
	if (i % 3 == 0) {
		MX_ADD(thrower, left, 1);
		throw std::runtime_error("third");
	}
	return i;
}

MX_LINKAGE MX_TRACED int fn_middle(int levels, int i)
{
	Local local;
	int r;

	MX_ENTER(middle);
	if (i % 3 == 0)
		MX_ADD(middle, left, 1);
	r = levels ? fn_middle(levels - 1, i) : fn_thrower(i);
	MX_NO_TAIL_CALL();
	return r;
}

MX_LINKAGE MX_TRACED int fn_catcher(int levels, int i)
{
	MX_ENTER(catcher);
	try {
		return fn_middle(levels, i) + 1;
	} catch (const std::runtime_error &) {
		return -1;
	}
}

MX_LINKAGE MX_TRACED int fn_rethrower(int i)
{
	MX_ENTER(rethrower);
	try {
		return fn_middle(1, i);
	} catch (const std::runtime_error &) {
		MX_ADD(rethrower, left, 1);
		throw;
	}
}

MX_LINKAGE MX_TRACED int fn_outermost(int i)
{
	MX_ENTER(outermost);
	try {
		return fn_rethrower(i);
	} catch (...) {
		return fn_catcher(0, i + 1);
	}
}

MX_UNIT(exceptions)
{
	uint64_t wrong = 0, guards = 0;

	unwound = 0;
	for (unsigned u = 0; u < rounds; u++) {
		int i = static_cast<int>(u);

		wrong += fn_catcher(i % 5, i) != (i % 3 ? i + 1 : -1);
		wrong += fn_outermost(i) != (i % 3 ? i : i + 2);
		guards += static_cast<uint64_t>(i % 5 + 1 + 2 + (i % 3 == 0));
	}
	return wrong + (unwound != guards);
}
