/* Which ring records are believed. */
#include "domains/alloc/alloc_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "hotpathd/abi/unwind.h"

static struct hp_alloc_event request_of(unsigned short nips)
{
	return (struct hp_alloc_event){.hdr = {.kind = HP_EVENT_ALLOC},
				       .addr = 0x1000,
				       .size = 10,
				       .nips = nips,
				       .end = HP_STACK_COMPLETE | HP_STACK_GUESSED};
}

static bool is_request(const struct hp_alloc_event *event, size_t size)
{
	return hp_alloc_record_is_request(&event->hdr, size);
}

static void test_request(void **state)
{
	struct hp_alloc_event event = request_of(3);
	size_t size = HP_ALLOC_EVENT_MIN + 24;

	assert_true(is_request(&event, size));
	assert_false(is_request(&event, size - 8));
	assert_false(is_request(&event, size + 8));
	assert_false(is_request(&event, 8));
	event.end = HP_NSTACK_ENDS;
	assert_false(is_request(&event, size));
	event = request_of(3);
	event.addr = 0;
	assert_false(is_request(&event, size));
	event = request_of(3);
	event.period = 1ull << 32;
	assert_false(is_request(&event, size));
	event = request_of(3);
	event.hdr.kind = HP_EVENT_RELEASE;
	assert_false(is_request(&event, size));
	event = request_of(HP_ALLOC_MAX_STACK);
	assert_true(is_request(&event, sizeof(event)));
	event.nips++;
	assert_false(is_request(&event, sizeof(event) + 8));
}

static void test_release(void **state)
{
	struct hp_release_event event = {.hdr = {.kind = HP_EVENT_RELEASE}, .addr = 0x1000};

	assert_true(hp_alloc_record_is_release(&event.hdr, sizeof(event)));
	assert_false(hp_alloc_record_is_release(&event.hdr, sizeof(event) - 1));
	event.addr = 0;
	assert_false(hp_alloc_record_is_release(&event.hdr, sizeof(event)));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
