/* Signatures from the fixtures' debug information, through the sandbox; what it hands back is checked. */
#include "elf/signatures.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "elf/module.h"
#include "hotpathd/abi/values.h"

#define VALUES HP_BUILD_DIR "/fixtures/values"

static uint64_t address_of(const char *name)
{
	HP_AUTO(hp_module) struct hp_module *module = NULL;
	HP_AUTO_FD int fd = open(VALUES, O_RDONLY | O_CLOEXEC);
	struct hp_err err = {0};
	struct hp_sym sym;

	assert_int_equal(hp_module_load(fd, "values", &module, &err), 0);
	for (size_t i = 0; i < hp_module_nsyms(module); i++) {
		hp_module_sym(module, i, &sym);
		if (strcmp(sym.name, name) == 0)
			return sym.addr;
	}
	fail_msg("%s is not in " VALUES, name);
	return 0;
}

static struct hp_signatures *load(const char *name, uint64_t *ret_addr)
{
	HP_AUTO_FD int fd = open(VALUES, O_RDONLY | O_CLOEXEC);
	struct hp_signatures *signatures = NULL;
	struct hp_signature_want want = {.addr = address_of(name)};
	struct hp_err err = {0};

	assert_int_equal(hp_signatures_load(fd, "values", &want, 1, &signatures, &err), 0);
	*ret_addr = want.addr;
	return signatures;
}

static void test_types(void **state)
{
	static const char *const examples[][2] = {
		{"v_ints", "(i8, i16, int, long, u8, u16) -> int"},
		{"v_mixed", "(int, double, u64, float, long) -> double"},
		{"v_bool", "(bool, char, int) -> bool"},
		{"v_text", "(int, str) -> str"},
		{"v_void", "(int) -> void"},
		{"v_small", "(?, int) -> int"},
		{"v_hidden", "(int, str) -> ?"},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(examples); i++) {
		uint64_t addr;
		HP_AUTO(hp_signatures)
		struct hp_signatures *signatures = load(examples[i][0], &addr);
		char text[256];

		assert_int_equal(signatures->flags, HP_SIGNATURES_DWARF);
		assert_int_equal(signatures->list.len, 1);
		assert_null(hp_signatures_at(signatures, addr + 1));
		hp_signature_text(hp_signatures_at(signatures, addr), text, sizeof(text));
		assert_string_equal(text, examples[i][1]);
	}
}

/* Structures by value take registers as their halves say, and what comes after them moves. */
static void test_places(void **state)
{
	static const struct {
		const char *name;
		unsigned param;
		uint8_t word;
	} examples[] = {
		{"v_small", 1, 1},
		{"v_vectors", 1, 0},
		{"v_big", 1, 0},
		{"v_hidden", 0, 1},
		{"v_hidden", 1, 2},
		{"v_mixed", 2, 1},
		{"v_many", 8, HP_WORD_REGS + 2},
		{"v_floats", 8, HP_WORD_REGS},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(examples); i++) {
		uint64_t addr;
		HP_AUTO(hp_signatures)
		struct hp_signatures *signatures = load(examples[i].name, &addr);
		const struct hp_signature *signature = hp_signatures_at(signatures, addr);

		assert_non_null(signature);
		if (signature->params[examples[i].param].word != examples[i].word)
			fail_msg("%s, parameter %u: word %u", examples[i].name, examples[i].param,
				 signature->params[examples[i].param].word);
	}
}

static void test_written_and_read(void **state)
{
	uint64_t addr;
	HP_AUTO(hp_signatures) struct hp_signatures *signatures = load("v_ints", &addr);
	struct hp_signatures again;
	HP_AUTO_FREE uint8_t *bytes = NULL;
	void *data;
	size_t size;

	assert_int_equal(hp_signatures_write(signatures, &data, &size), 0);
	bytes = data;
	assert_int_equal(hp_signatures_read(bytes, size, &again), 0);
	assert_true(hp_signature_equal(&again.list.data[0].signature,
				       &signatures->list.data[0].signature));
	hp_signatures_deinit(&again);
	for (size_t n = 0; n < size; n++)
		assert_int_equal(hp_signatures_read(bytes, n, &again), -EBADMSG);
	bytes[28] = 99; /* the type of the first parameter */
	assert_int_equal(hp_signatures_read(bytes, size, &again), -EBADMSG);
}

static void test_without(void **state)
{
	HP_AUTO_FD int fd = open(HP_BUILD_DIR "/fixtures/calls_stripped", O_RDONLY | O_CLOEXEC);
	HP_AUTO_FD int none = open("/dev/null", O_RDONLY | O_CLOEXEC);
	HP_AUTO(hp_signatures) struct hp_signatures *signatures = NULL;
	const struct hp_signature_want want = {.addr = 0x1000};
	struct hp_err err = {0};

	assert_int_equal(hp_signatures_load(fd, "calls_stripped", &want, 1, &signatures, &err), 0);
	assert_int_equal(signatures->flags, 0);
	assert_int_equal(signatures->list.len, 0);
	assert_int_equal(
		hp_signatures_load(none, "none", &want, 1, &(struct hp_signatures *){NULL}, &err),
		-ENOEXEC);
	assert_non_null(strstr(err.text, "none"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_written_and_read),
		cmocka_unit_test(test_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
