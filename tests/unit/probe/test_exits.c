/*
 * hp_exits_find() over real programs, held against objdump, which decodes by other code: a breakpoint where no
 * instruction begins would corrupt the target, and a missed ret would lose calls.
 */
#include "probe/exits.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/map.h"
#include "elf/module.h"
#include "probe/targets.h"
#include "probe/text.h"

enum kind { INSTRUCTION, RET, JUMP };

/* The instruction of one line of objdump. False: the line holds none. */
static bool parse_line(const char *line, uint64_t *ret_addr, enum kind *ret_kind)
{
	char word[3][16] = {"", "", ""};
	const char *mnemonic = word[0];

	if (sscanf(line, " %" SCNx64 ":\t%15s %15s %15s", ret_addr, word[0], word[1], word[2]) < 2)
		return false;
	if (strcmp(mnemonic, "bnd") == 0 || strcmp(mnemonic, "repz") == 0)
		mnemonic = word[1];
	*ret_kind = INSTRUCTION;
	if (strcmp(mnemonic, "ret") == 0 || strcmp(mnemonic, "retq") == 0)
		*ret_kind = RET;
	else if (strcmp(mnemonic, "jmp") == 0 || strcmp(mnemonic, "jmpq") == 0)
		*ret_kind = JUMP;
	return true;
}

/* Address -> kind of all instructions of @path; NULL without objdump. */
static struct hp_map *disassemble(const char *path)
{
	struct hp_map *instructions = NULL;
	char command[512], line[512];
	enum kind kind;
	uint64_t addr;
	FILE *pipe;

	snprintf(command, sizeof(command), "objdump -d --no-show-raw-insn -w '%s' 2>/dev/null",
		 path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_int_equal(hp_map_new(&instructions), 0);
	while (fgets(line, sizeof(line), pipe)) {
		if (parse_line(line, &addr, &kind))
			assert_true(hp_map_put(instructions, addr, kind) >= 0);
	}
	if (pclose(pipe) != 0) {
		hp_map_free(instructions);
		return NULL;
	}
	return instructions;
}

struct tally {
	unsigned functions, understood, exits, jumps;
};

static bool has_exit(const struct hp_body *body, uint64_t addr)
{
	for (size_t i = 0; i < body->nexits; i++) {
		if (body->exits[i] == addr)
			return true;
	}
	return false;
}

static void check_function(const struct hp_map *instructions, const struct hp_sym *sym,
			   const struct hp_body *body, struct tally *tally)
{
	uint64_t kind;

	for (size_t i = 0; i < body->nexits; i++) {
		if (!hp_map_get(instructions, body->exits[i], &kind) || kind == INSTRUCTION)
			fail_msg("%s: 0x%" PRIx64 " is no ret or jmp", sym->name, body->exits[i]);
		tally->exits++;
		tally->jumps += kind == JUMP;
	}
	for (uint64_t addr = sym->addr; addr < sym->addr + sym->size; addr++) {
		if (hp_map_get(instructions, addr, &kind) && kind == RET && !has_exit(body, addr))
			fail_msg("%s: the ret at 0x%" PRIx64 " is missing", sym->name, addr);
	}
	/* A tail call may throw: what passes through a leaf's frame is nothing. */
	for (size_t i = 0; i < body->nexits && body->leaf; i++) {
		hp_map_get(instructions, body->exits[i], &kind);
		assert_int_equal(kind, RET);
	}
}

static struct tally check_file(const char *path)
{
	HP_AUTO(hp_map) struct hp_map *instructions = disassemble(path);
	HP_AUTO(hp_module) struct hp_module *module = NULL;
	HP_AUTO(hp_targets) struct hp_targets *targets = NULL;
	HP_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct tally tally = {0};
	struct hp_text text = {0};
	struct hp_err err = {0};

	if (!instructions || fd < 0) {
		print_message("%s: no objdump or no such file\n", path);
		skip();
	}
	assert_int_equal(hp_module_load(fd, path, &module, &err), 0);
	assert_int_equal(hp_text_read(fd, module, &text), 0);
	assert_int_equal(hp_targets_build(module, &text, &targets), 0);
	for (size_t i = 0; i < hp_module_nsyms(module); i++) {
		struct hp_body body;
		struct hp_sym sym;

		hp_module_sym(module, i, &sym);
		if (sym.flags & HP_SYM_COLD)
			continue;
		tally.functions++;
		hp_exits_find(module, &text, targets, &sym, &body);
		if (body.unclear) {
			assert_false(body.leaf);
			continue;
		}
		tally.understood++;
		check_function(instructions, &sym, &body, &tally);
	}
	hp_text_deinit(&text);
	print_message("%s: %u functions, %u understood, %u exits, %u of them tail calls\n", path,
		      tally.functions, tally.understood, tally.exits, tally.jumps);
	return tally;
}

static void test_fixture(void **state)
{
	struct tally tally = check_file(HP_BUILD_DIR "/fixtures/cxx");

	assert_true(tally.understood > 0);
	assert_true(tally.understood * 10 >= tally.functions * 7);
}

static void test_libstdcxx(void **state)
{
	struct tally tally = check_file("/usr/lib/x86_64-linux-gnu/libstdc++.so.6");

	assert_true(tally.functions > 1000);
	assert_true(tally.understood * 10 >= tally.functions * 7);
	assert_true(tally.jumps > 100);
}

static void test_libc(void **state)
{
	assert_true(check_file("/usr/lib/x86_64-linux-gnu/libc.so.6").understood > 500);
}

/* A symbol may say anything: one whose code the file does not hold has no exits. */
static void test_code_outside_the_file(void **state)
{
	const char *path = HP_BUILD_DIR "/fixtures/cxx";
	HP_AUTO(hp_module) struct hp_module *module = NULL;
	HP_AUTO(hp_targets) struct hp_targets *targets = NULL;
	HP_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct hp_text text = {0};
	struct hp_err err = {0};
	struct hp_body body;
	struct hp_sym sym;
	size_t left;

	if (fd < 0) {
		print_message("%s is not built\n", path);
		skip();
	}
	assert_int_equal(hp_module_load(fd, path, &module, &err), 0);
	assert_int_equal(hp_text_read(fd, module, &text), 0);
	assert_int_equal(hp_targets_build(module, &text, &targets), 0);
	hp_module_sym(module, 0, &sym);
	assert_non_null(hp_text_at(&text, sym.addr, &left));
	sym.size = left + 1;
	hp_exits_find(module, &text, targets, &sym, &body);
	assert_non_null(body.unclear);
	assert_false(body.leaf);
	sym.addr = 0xffffffff00000000ull;
	sym.size = 16;
	hp_exits_find(module, &text, targets, &sym, &body);
	assert_non_null(body.unclear);
	assert_int_equal(body.nexits, 0);
	hp_text_deinit(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixture),
		cmocka_unit_test(test_libstdcxx),
		cmocka_unit_test(test_libc),
		cmocka_unit_test(test_code_outside_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
