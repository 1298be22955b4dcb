/* The bytes of the encoding guide's own examples, and its rules. */
#include "format/protobuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

#define ASSERT_BYTES(message, text)                                                 \
	do {                                                                        \
		assert_int_equal((message)->error, 0);                              \
		assert_int_equal((message)->bytes.len, sizeof(text) - 1);           \
		assert_memory_equal((message)->bytes.data, text, sizeof(text) - 1); \
	} while (0)

static void test_varints(void **state)
{
	HP_AUTO(hp_protobuf) struct hp_protobuf message = {0};

	hp_protobuf_u64(&message, 1, 150);
	ASSERT_BYTES(&message, "\x08\x96\x01");
	message.bytes.len = 0;
	hp_protobuf_u64(&message, 16, 127);
	ASSERT_BYTES(&message, "\x80\x01\x7f");
	message.bytes.len = 0;
	hp_protobuf_u64(&message, 1, UINT64_MAX);
	ASSERT_BYTES(&message, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
	message.bytes.len = 0;
	hp_protobuf_i64(&message, 1, -2);
	ASSERT_BYTES(&message, "\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
	message.bytes.len = 0;
	hp_protobuf_u64(&message, 1, 0); /* the default */
	assert_int_equal(message.bytes.len, 0);
}

static void test_bytes(void **state)
{
	HP_AUTO(hp_protobuf) struct hp_protobuf message = {0};

	hp_protobuf_bytes(&message, 2, "testing", 7);
	ASSERT_BYTES(&message, "\x12\x07testing");
	hp_protobuf_bytes(&message, 2, "", 0);
	ASSERT_BYTES(&message, "\x12\x07testing");
}

static void test_packed(void **state)
{
	static const uint64_t values[] = {3, 270, 86942};
	HP_AUTO(hp_protobuf) struct hp_protobuf message = {0};

	hp_protobuf_packed(&message, 6, values, 3);
	ASSERT_BYTES(&message, "\x32\x06\x03\x8e\x02\x9e\xa7\x05");
	message.bytes.len = 0;
	hp_protobuf_packed(&message, 6, values, 0);
	ASSERT_BYTES(&message, "\x32\x00");
}

static void test_messages(void **state)
{
	HP_AUTO(hp_protobuf) struct hp_protobuf message = {0};
	HP_AUTO(hp_protobuf) struct hp_protobuf part = {0};

	hp_protobuf_u64(&part, 1, 150);
	hp_protobuf_message(&message, 3, &part);
	ASSERT_BYTES(&message, "\x1a\x03\x08\x96\x01");
	assert_int_equal(part.bytes.len, 0);
	hp_protobuf_message(&message, 3, &part);
	ASSERT_BYTES(&message, "\x1a\x03\x08\x96\x01\x1a\x00");
	part.error = -12;
	hp_protobuf_message(&message, 3, &part);
	assert_int_equal(message.error, -12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_varints),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
