/*
 * The pprof profile, read back by a reader of its own: field numbers and meanings are those of proto/profile.proto of
 * google/pprof.
 */
#include "domains/cpu/cpu_pprof.h"

#include <stdio.h>
#include <stdlib.h>

#include <zlib.h>

#include "cpu_slots.h"

struct bytes {
	const unsigned char *at, *end;
};

struct field {
	uint64_t number, value; /* of varints */
	struct bytes bytes;     /* of the others */
};

static uint64_t read_varint(struct bytes *in)
{
	uint64_t value = 0;
	unsigned shift = 0;

	do {
		assert_true(in->at < in->end && shift < 64);
		value |= (uint64_t)(*in->at & 0x7f) << shift;
		shift += 7;
	} while (*in->at++ & 0x80);
	return value;
}

static bool next(struct bytes *in, struct field *ret_field)
{
	uint64_t tag, len;

	if (in->at == in->end)
		return false;
	tag = read_varint(in);
	*ret_field = (struct field){.number = tag >> 3};
	if ((tag & 7) == 0) {
		ret_field->value = read_varint(in);
		return true;
	}
	assert_int_equal(tag & 7, 2);
	len = read_varint(in);
	assert_true(len <= (uint64_t)(in->end - in->at));
	ret_field->bytes = (struct bytes){in->at, in->at + len};
	in->at += len;
	return true;
}

/* The varint field @number of a message, 0 if it is absent. */
static uint64_t get(struct bytes message, uint64_t number)
{
	struct field field;
	uint64_t value = 0;

	while (next(&message, &field)) {
		if (field.number == number)
			value = field.value;
	}
	return value;
}

static struct bytes find(struct bytes message, uint64_t number, uint64_t skip)
{
	struct field field;

	while (next(&message, &field)) {
		if (field.number == number && skip-- == 0)
			return field.bytes;
	}
	fail_msg("field %llu is missing", (unsigned long long)number);
	return message;
}

static unsigned count(struct bytes message, uint64_t number)
{
	struct field field;
	unsigned n = 0;

	while (next(&message, &field))
		n += field.number == number;
	return n;
}

static unsigned char unpacked[65536];

static struct bytes profile_of(const struct hp_cpu_window *window)
{
	HP_AUTO_FREE char *packed = NULL;
	z_stream stream = {0};
	size_t len;

	assert_int_equal(hp_cpu_pprof_pack(window, &packed, &len), 0);
	assert_int_equal(inflateInit2(&stream, 16 + 15), Z_OK);
	stream.next_in = (unsigned char *)packed;
	stream.avail_in = (unsigned)len;
	stream.next_out = unpacked;
	stream.avail_out = sizeof(unpacked);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	inflateEnd(&stream);
	return (struct bytes){unpacked, unpacked + stream.total_out};
}

static const char *string(struct bytes profile, uint64_t number)
{
	static char texts[8][64];
	static unsigned turn;
	struct bytes bytes = find(profile, 6, number);
	char *text = texts[turn++ % 8];

	snprintf(text, 64, "%.*s", (int)(bytes.end - bytes.at), (const char *)bytes.at);
	return text;
}

/* "a:3;b:0": function and line of each location, innermost first. */
static void stack_of(struct bytes profile, struct bytes sample, char *text, size_t size)
{
	struct bytes ids = find(sample, 1, 0);
	size_t used = 0;

	text[0] = '\0';
	while (ids.at < ids.end) {
		uint64_t id = read_varint(&ids);
		struct bytes location = find(profile, 4, id - 1), line = find(location, 4, 0);
		struct bytes function = find(profile, 5, get(line, 1) - 1);

		assert_int_equal(get(location, 1), id);
		assert_int_equal(get(location, 2), 1);
		assert_int_equal(get(function, 1), get(line, 1));
		used += (size_t)snprintf(text + used, size - used, "%s%s:%s:%d", used ? ";" : "",
					 string(profile, get(function, 2)),
					 string(profile, get(function, 4)), (int)get(line, 2));
	}
}

/* Text or number of a label. */
static const char *label(struct bytes profile, struct bytes sample, const char *key)
{
	static char number[32];

	for (unsigned i = 0; i < count(sample, 3); i++) {
		struct bytes one = find(sample, 3, i);

		if (strcmp(string(profile, get(one, 1)), key) != 0)
			continue;
		if (get(one, 2))
			return string(profile, get(one, 2));
		snprintf(number, sizeof(number), "%d", (int)get(one, 3));
		return number;
	}
	return "";
}

static struct bytes sample_with(struct bytes profile, const char *stack)
{
	char text[256];

	for (unsigned i = 0; i < count(profile, 2); i++) {
		struct bytes sample = find(profile, 2, i);

		stack_of(profile, sample, text, sizeof(text));
		if (strcmp(text, stack) == 0)
			return sample;
	}
	fail_msg("no sample %s", stack);
	return profile;
}

static void assert_values(struct bytes sample, uint64_t samples, uint64_t weight)
{
	struct bytes values = find(sample, 2, 0);

	assert_int_equal(read_varint(&values), samples);
	assert_int_equal(read_varint(&values), weight);
	assert_ptr_equal(values.at, values.end);
}

static void test_samples(void **state)
{
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *slot = slot_new(5000000000);
	const struct hp_code_frame lined[] = {{.entity = 'a', .file = 'F', .line = 12},
					      {.entity = 'r'}};
	const struct hp_cpu_sample guessed = {.kind = HP_CPU_ON,
					      .tid = 9,
					      .end = HP_STACK_NO_TABLE | HP_STACK_GUESSED,
					      .samples = 2,
					      .weight_ns = 30};
	struct hp_cpu_window window;
	struct bytes profile, sample;

	slot_add(slot, 7, "ar");
	slot_add(slot, 7, "ar");
	slot_add(slot, 7, "");
	strcpy(slot->threads.data[0].name, "seven");
	assert_int_equal(hp_cpu_stacks_add(slot, &guessed, lined, 2), 0);
	hp_cpu_stacks_seal(slot, 8000000000);
	window = window_of(&slot, 1);
	profile = profile_of(&window);

	assert_int_equal(count(profile, 2), 3);
	sample = sample_with(profile, "a::0;r::0");
	assert_values(sample, 2, 20);
	assert_string_equal(label(profile, sample, "thread"), "seven");
	assert_string_equal(label(profile, sample, "tid"), "7");
	assert_string_equal(label(profile, sample, "stack_end"), "");
	sample = sample_with(profile, "a:F:12;r::0");
	assert_values(sample, 2, 30);
	assert_string_equal(label(profile, sample, "thread"), "thread_9");
	assert_string_equal(label(profile, sample, "stack_end"), "no unwind information");
	assert_string_equal(label(profile, sample, "frames_guessed"), "1");
	assert_values(sample_with(profile, ""), 1, 10);
}

static void assert_type(struct bytes profile, struct bytes type, const char *name, const char *unit)
{
	assert_string_equal(string(profile, get(type, 1)), name);
	assert_string_equal(string(profile, get(type, 2)), unit);
}

static void test_head(void **state)
{
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *slot = slot_new(5000000000);
	struct hp_cpu_window window;
	struct bytes profile, mapping;

	hp_cpu_stacks_seal(slot, 8000000000);
	window = window_of(&slot, 1);
	profile = profile_of(&window);
	assert_string_equal(string(profile, 0), "");
	assert_int_equal(count(profile, 1), 2);
	assert_type(profile, find(profile, 1, 0), "samples", "count");
	assert_type(profile, find(profile, 1, 1), "cpu", "nanoseconds");
	assert_int_equal(get(profile, 9), 1700000000123000000);
	assert_int_equal(get(profile, 10), 3000000000);
	assert_type(profile, find(profile, 11, 0), "cpu", "nanoseconds");
	assert_int_equal(get(profile, 12), 10000000);
	assert_string_equal(string(profile, get(profile, 14)), "cpu");
	mapping = find(profile, 3, 0);
	assert_string_equal(string(profile, get(mapping, 5)), "orderd");
	assert_int_equal(get(mapping, 7), 1); /* has_functions */

	window.kind = HP_CPU_OFF;
	profile = profile_of(&window);
	assert_type(profile, find(profile, 1, 1), "offcpu", "nanoseconds");
	assert_int_equal(count(profile, 12), 0); /* events have no period */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
