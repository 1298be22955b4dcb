#include "elf/cfi_state.h"

#include <string.h>

#include "base/reader.h"
#include "elf/cie.h"
#include "elf/leb.h"

enum {
	OP_DEREF = 0x06,
	OP_AND = 0x1a,
	OP_PLUS = 0x22,
	OP_PLUS_UCONST = 0x23,
	OP_SHL = 0x24,
	OP_GE = 0x2a,
	OP_LIT0 = 0x30,
	OP_LIT3 = 0x33,
	OP_LIT15 = 0x3f,
	OP_BREG0 = 0x70,
	OP_BREG31 = 0x8f,
	OP_BREGX = 0x92,
};

/* Places in struct ucontext of x86-64 Linux, which the kernel lays on the stack of a signal handler. */
enum { UCONTEXT_RBP = 120, UCONTEXT_RSP = 160, UCONTEXT_RIP = 168 };

static const struct hp_unwind_rule unknown = {.cfa = HP_UNWIND_UNKNOWN};

/* What an expression comes to: register + inner, or what lies there, + offset. */
struct place {
	uint64_t reg;
	int64_t inner, offset;
	bool deref;
};

static struct hp_reader reader_of(const struct hp_cfi_bytes *expression)
{
	return hp_reader_over(expression->data, expression->size);
}

static bool read_register(struct hp_reader *reader, uint64_t *ret_reg, int64_t *ret_offset)
{
	uint8_t op = hp_reader_u8(reader);

	if (op >= OP_BREG0 && op <= OP_BREG31)
		*ret_reg = op - OP_BREG0;
	else if (op == OP_BREGX)
		*ret_reg = hp_leb_unsigned(reader);
	else
		return false;
	*ret_offset = hp_leb_signed(reader);
	return !reader->failed;
}

/* bregN x [plus_uconst y] [deref [plus_uconst z]] */
static bool read_place(const struct hp_cfi_bytes *expression, struct place *place)
{
	struct hp_reader reader = reader_of(expression);
	int64_t *sum = &place->inner;

	*place = (struct place){0};
	if (!read_register(&reader, &place->reg, &place->inner))
		return false;
	while (hp_reader_left(&reader)) {
		uint8_t op = hp_reader_u8(&reader);

		if (op == OP_DEREF && !place->deref) {
			place->deref = true;
			sum = &place->offset;
		} else if (op != OP_PLUS_UCONST ||
			   __builtin_add_overflow(*sum, hp_leb_unsigned(&reader), sum)) {
			return false;
		}
	}
	return !reader.failed;
}

/* True: expression is *(reg + offset) as a register's place, which is reg + offset itself. */
static bool is_at(const struct hp_cfi_register *where, uint64_t reg, int64_t offset)
{
	struct place place;

	return where->how == HP_CFI_EXPRESSION && read_place(&where->expression, &place) &&
	       !place.deref && place.reg == reg && place.inner == offset;
}

/* breg7 x; breg16 0; lit15; and; litN; ge; lit3; shl; plus: 8 more from the N-th byte of a stub of 16 on. */
static bool read_plt(const struct hp_cfi_bytes *expression, struct hp_unwind_rule *rule)
{
	static const uint8_t before[] = {OP_LIT15, OP_AND},
			     after[] = {OP_GE, OP_LIT3, OP_SHL, OP_PLUS};
	struct hp_reader reader = reader_of(expression);
	const uint8_t *tail;
	uint64_t stack, code;
	int64_t offset, zero;
	uint8_t from;

	if (!read_register(&reader, &stack, &offset) || !read_register(&reader, &code, &zero) ||
	    stack != HP_CIE_REG_RSP || code != HP_CIE_REG_RIP || zero != 0 ||
	    offset != (int32_t)offset)
		return false;
	tail = hp_reader_bytes(&reader, sizeof(before) + 1 + sizeof(after));
	if (!tail || hp_reader_left(&reader) || memcmp(tail, before, sizeof(before)) != 0 ||
	    memcmp(tail + sizeof(before) + 1, after, sizeof(after)) != 0)
		return false;
	from = tail[sizeof(before)];
	if (from < OP_LIT0 || from > OP_LIT15)
		return false;
	rule->cfa = HP_UNWIND_PLT;
	rule->offset = (int32_t)offset;
	rule->inner = (int16_t)(from - OP_LIT0);
	return true;
}

static bool set_register(uint64_t reg, int64_t offset, struct hp_unwind_rule *rule)
{
	if (reg >= HP_CIE_REG_RIP || offset != (int32_t)offset)
		return false;
	rule->offset = (int32_t)offset;
	if (reg == HP_CIE_REG_RSP) {
		rule->cfa = HP_UNWIND_RSP;
	} else if (reg == HP_CIE_REG_RBP) {
		rule->cfa = HP_UNWIND_RBP;
	} else {
		rule->cfa = HP_UNWIND_REG;
		rule->reg = (uint8_t)reg;
	}
	return true;
}

static bool set_cfa(const struct hp_cfi_state *state, struct hp_unwind_rule *rule)
{
	struct place place;

	if (!state->cfa_expression.data)
		return set_register(state->cfa_reg, state->cfa_offset, rule);
	if (read_plt(&state->cfa_expression, rule))
		return true;
	if (!read_place(&state->cfa_expression, &place))
		return false;
	if (!place.deref)
		return set_register(place.reg, place.inner, rule);
	if ((place.reg != HP_CIE_REG_RSP && place.reg != HP_CIE_REG_RBP) ||
	    place.inner != (int16_t)place.inner || place.offset != (int32_t)place.offset)
		return false;
	rule->cfa = place.reg == HP_CIE_REG_RSP ? HP_UNWIND_DEREF_RSP : HP_UNWIND_DEREF_RBP;
	rule->inner = (int16_t)place.inner;
	rule->offset = (int32_t)place.offset;
	return true;
}

static void set_rbp(const struct hp_cfi_register *where, struct hp_unwind_rule *rule)
{
	struct place place;

	rule->rbp = HP_UNWIND_RBP_UNKNOWN;
	switch (where->how) {
	case HP_CFI_UNSET:
	case HP_CFI_SAME:
		rule->rbp = HP_UNWIND_RBP_SAME;
		return;
	case HP_CFI_OFFSET:
		if (where->offset != (int16_t)where->offset)
			return;
		rule->rbp = HP_UNWIND_RBP_AT_CFA;
		rule->rbp_offset = (int16_t)where->offset;
		return;
	case HP_CFI_EXPRESSION:
		if (!read_place(&where->expression, &place) || place.deref ||
		    place.reg != HP_CIE_REG_RBP || place.inner != (int16_t)place.inner)
			return;
		rule->rbp = HP_UNWIND_RBP_AT_RBP;
		rule->rbp_offset = (int16_t)place.inner;
		return;
	default:
		return;
	}
}

/* All registers come from one struct ucontext, which lies relative to rsp; UNKNOWN if they do not. */
static struct hp_unwind_rule signal_rule(const struct hp_cfi_state *state)
{
	struct place cfa;
	int64_t base;

	if (!state->cfa_expression.data || !read_place(&state->cfa_expression, &cfa) ||
	    !cfa.deref || cfa.reg != HP_CIE_REG_RSP || cfa.offset != 0 ||
	    cfa.inner != (int32_t)cfa.inner)
		return unknown;
	base = cfa.inner - UCONTEXT_RSP;
	if (!is_at(&state->rip, HP_CIE_REG_RSP, base + UCONTEXT_RIP) ||
	    !is_at(&state->rbp, HP_CIE_REG_RSP, base + UCONTEXT_RBP))
		return unknown;
	return (struct hp_unwind_rule){.cfa = HP_UNWIND_SIGNAL, .offset = (int32_t)base};
}

struct hp_unwind_rule hp_cfi_rule_of(const struct hp_cfi_state *state)
{
	struct hp_unwind_rule rule = {0};

	if (state->broken)
		return unknown;
	if (state->rip.how == HP_CFI_UNDEFINED)
		return (struct hp_unwind_rule){.cfa = HP_UNWIND_END};
	if (state->signal)
		return signal_rule(state);
	if (state->rip.how != HP_CFI_OFFSET || state->rip.offset != -8)
		return unknown;
	/* The caller's rsp is the CFA, unless something else is said. */
	if (state->rsp.how != HP_CFI_UNSET &&
	    (state->rsp.how != HP_CFI_VAL_OFFSET || state->rsp.offset != 0))
		return unknown;
	if (!set_cfa(state, &rule))
		return unknown;
	set_rbp(&state->rbp, &rule);
	return rule;
}
