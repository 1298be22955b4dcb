/* Functions that are left alone, by name. */
#include "probe/never.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/cleanup.h"

static void test_any_language(void **state)
{
	assert_non_null(hp_never_reason("setjmp"));
	assert_non_null(hp_never_reason("_start"));
	assert_non_null(hp_never_reason("_Unwind_Resume"));
	assert_null(hp_never_reason("setjmps"));
	assert_null(hp_never_reason("main"));
}

/* A program's own packages and those of the library are probed; the runtime where somebody asks, and never what switches stacks. */
static void test_go(void **state)
{
	static const char *const wanted[] = {
		"main.main",
		"main.(*site).ServeHTTP",
		"net/http.(*conn).serve",
		"encoding/json.Marshal",
		"runtimer.Run",
		"example.org/internal/poll.Wait",
		"example.org/runtime.Start",
		"reflect.Value.Call",
		"syscall.Read",
		"time.Sleep",
		"sync.runtime_Semacquire",
		"typed.Of",
	};
	static const char *const inside[] = {
		"runtime.casgstatus",
		"runtime/internal/atomic.Cas64",
		"internal/poll.(*FD).Read",
		"reflect.callMethod",
		"syscall.rawVforkSyscall",
		"type..eq.main.key",
		"type:.eq.main.key",
		"go.(*struct { sync.Mutex }).Lock",
		"aeshashbody",
		"_cgoexp_12ab_goBack",
	};
	static const char *const dangerous[] = {"runtime.morestack_noctxt", "runtime.gogo.abi0",
						"runtime.systemstack", "runtime.sigtramp"};

	for (size_t i = 0; i < HP_ARRAY_SIZE(wanted); i++)
		assert_null(hp_never_go_reason(wanted[i], true, false));
	for (size_t i = 0; i < HP_ARRAY_SIZE(inside); i++) {
		assert_non_null(hp_never_go_reason(inside[i], true, false));
		assert_null(hp_never_go_reason(inside[i], true, true));
	}
	for (size_t i = 0; i < HP_ARRAY_SIZE(dangerous); i++)
		assert_non_null(hp_never_go_reason(dangerous[i], true, true));
}

/* C in a Go program has no packages; the glue between them is left alone. */
static void test_c_beside_go(void **state)
{
	assert_null(hp_never_go_reason("work", false, false));
	assert_null(hp_never_go_reason("runtime.part.0", false, false));
	assert_non_null(hp_never_go_reason("runtime.etext", false, true));
	assert_non_null(hp_never_go_reason("runtime.text", true, true));
	assert_non_null(hp_never_go_reason("x_cgo_thread_start", false, true));
	assert_non_null(hp_never_go_reason("_cgo_12ab_Cfunc_work", false, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_language),
		cmocka_unit_test(test_go),
		cmocka_unit_test(test_c_beside_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
