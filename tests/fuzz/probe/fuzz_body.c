/*
 * A byte that says what lies outside the function, then code. A breakpoint goes where the scan says that an exit is, so
 * each must be a return or a jump, in order, inside, and not inside the instruction before it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "probe/body.h"

#define ADDR 0x401000

static enum hp_body_place place(void *arg, uint64_t addr)
{
	const uint8_t *mode = arg;

	assert(addr < ADDR || addr >= ADDR + 1);
	/* By the address, so that one input can have all kinds. */
	return (enum hp_body_place)((*mode + (*mode & 0x80 ? addr / 16 : 0)) % 3);
}

/* Prefixes of any kind, then the opcode of a return or of a near jump. */
static bool is_exit(const uint8_t *code, size_t len)
{
	size_t at = 0;

	while (at < len && (memchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3", code[at], 11) ||
			    (code[at] & 0xf0) == 0x40))
		at++;
	return at < len && memchr("\xc2\xc3\xca\xcb\xcf\xe9\xeb", code[at], 7);
}

static void check(const struct hp_body_code *code, const struct hp_body *body)
{
	assert(body->nexits <= HP_BODY_MAX_EXITS);
	assert(!body->leaf || !body->unclear);
	for (size_t i = 0; i < body->nexits; i++) {
		uint64_t at = body->exits[i] - code->addr;

		assert(at < code->size);
		assert(i == 0 || body->exits[i - 1] < body->exits[i]);
		assert(is_exit(code->data + at, code->size - at));
		/* A leaf leaves by returns only. */
		if (body->leaf)
			assert(code->data[at] != 0xe9 && code->data[at] != 0xeb);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hp_body body = {.leaf = true}, again = {.leaf = true}, cut = {.leaf = true};
	struct hp_body_code code;
	uint8_t mode;

	if (size == 0)
		return 0;
	mode = data[0];
	code = (struct hp_body_code){
		.data = data + 1, .addr = ADDR, .size = size - 1, .place = place, .arg = &mode};
	hp_body_scan(&code, &body);
	check(&code, &body);
	hp_body_scan(&code, &again);
	assert(memcmp(&body, &again, sizeof(body)) == 0);

	/* Without its last byte: jumps there lead out of the code now. */
	if (code.size == 0)
		return 0;
	code.size--;
	hp_body_scan(&code, &cut);
	check(&code, &cut);
	return 0;
}
