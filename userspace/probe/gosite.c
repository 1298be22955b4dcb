#include "probe/gosite.h"

#include <Zydis/Zydis.h>

/* Where runtime.g keeps its two limits, in all versions: behind the bounds of the stack. */
#define STACKGUARD0 0x10
#define STACKGUARD1 0x18
/* Between a jump to the end of the function and the way back: arguments are saved, and loaded again. */
#define MOST_SPILLS 48

struct code {
	const uint8_t *data;
	size_t len;
	ZydisDecoder decoder;
};

struct insn {
	ZydisDecodedInstruction base;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

static bool decode(const struct code *code, size_t at, struct insn *ret_insn)
{
	return at < code->len &&
	       ZYAN_SUCCESS(ZydisDecoderDecodeFull(&code->decoder, code->data + at, code->len - at,
						   &ret_insn->base, ret_insn->operands));
}

/* Offset in the function to which the direct branch at @at leads; SIZE_MAX: outside, or through a pointer. */
static size_t target_of(const struct code *code, size_t at, const struct insn *insn)
{
	const ZydisDecodedOperand *operand = &insn->operands[0];
	uint64_t to;

	if (operand->type != ZYDIS_OPERAND_TYPE_IMMEDIATE || !operand->imm.is_relative)
		return SIZE_MAX;
	to = at + insn->base.length + (uint64_t)operand->imm.value.s;
	return to < code->len ? (size_t)to : SIZE_MAX;
}

/* Does the code at @at call something, and then begin the function again? */
static bool begins_again(const struct code *code, size_t at)
{
	bool called = false;
	struct insn insn;

	for (unsigned i = 0; i < MOST_SPILLS && decode(code, at, &insn); i++) {
		switch (insn.base.meta.category) {
		case ZYDIS_CATEGORY_CALL:
			if (called)
				return false;
			called = true;
			break;
		case ZYDIS_CATEGORY_UNCOND_BR:
			return called && target_of(code, at, &insn) == 0;
		case ZYDIS_CATEGORY_COND_BR:
		case ZYDIS_CATEGORY_RET:
			return false;
		default:
			break;
		}
		at += insn.base.length;
	}
	return false;
}

/* cmp limit(%r14), ... */
static bool reads_limit(const struct insn *insn)
{
	if (insn->base.mnemonic != ZYDIS_MNEMONIC_CMP)
		return false;
	for (unsigned i = 0; i < 2; i++) {
		const ZydisDecodedOperand *operand = &insn->operands[i];

		if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    operand->mem.base == ZYDIS_REGISTER_R14 &&
		    operand->mem.index == ZYDIS_REGISTER_NONE &&
		    (operand->mem.disp.value == STACKGUARD0 ||
		     operand->mem.disp.value == STACKGUARD1))
			return true;
	}
	return false;
}

static bool touches_stack_pointer(const struct insn *insn)
{
	for (unsigned i = 0; i < insn->base.operand_count; i++) {
		const ZydisDecodedOperand *operand = &insn->operands[i];

		if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
		    ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64,
						     operand->reg.value) == ZYDIS_REGISTER_RSP)
			return true;
	}
	return false;
}

/*
 * The jbe of the check. Frames of 4 KiB and more have another jump before it, for addresses that wrap
 * (jb; je in older versions), which leads to the same place.
 */
static bool find_check(const struct code *code, struct hp_gosite *gosite)
{
	bool by_r14 = false;
	struct insn insn;

	for (size_t at = 0; at < HP_SITE_BYTES && decode(code, at, &insn); at += insn.base.length) {
		if (insn.base.meta.category == ZYDIS_CATEGORY_COND_BR) {
			size_t to = target_of(code, at, &insn);

			if (to == SIZE_MAX || !begins_again(code, to))
				return false;
			if (insn.base.mnemonic != ZYDIS_MNEMONIC_JBE)
				continue;
			gosite->site = hp_site_at(code->data + at, code->len - at);
			gosite->site.delta = (uint32_t)at;
			gosite->checks = true;
			gosite->by_r14 = by_r14;
			return true;
		}
		if (touches_stack_pointer(&insn) ||
		    insn.base.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE)
			return false;
		by_r14 |= reads_limit(&insn);
	}
	return false;
}

/* Does a jump in the function lead back to its first byte? */
static bool jumps_to_entry(const uint8_t *code, size_t len)
{
	struct code function = {.data = code, .len = len};
	struct insn insn;

	ZydisDecoderInit(&function.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (size_t at = 0; decode(&function, at, &insn); at += insn.base.length) {
		if ((insn.base.meta.category == ZYDIS_CATEGORY_COND_BR ||
		     insn.base.meta.category == ZYDIS_CATEGORY_UNCOND_BR) &&
		    target_of(&function, at, &insn) == 0)
			return true;
	}
	return false;
}

bool hp_gosite_check(const uint8_t *code, size_t len, struct hp_gosite *ret_gosite)
{
	struct code function = {.data = code, .len = len};

	ZydisDecoderInit(&function.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	return find_check(&function, ret_gosite);
}

struct hp_gosite hp_gosite_choose(const uint8_t *code, size_t len, uint64_t addr,
				  const struct hp_targets *targets)
{
	struct hp_gosite gosite = {0};

	if (hp_gosite_check(code, len, &gosite))
		return gosite;
	if (jumps_to_entry(code, len))
		gosite.site = (struct hp_site){
			HP_SITE_REFUSED, 0,
			"it may begin again: what comes before that is no known stack check"};
	else
		gosite.site = hp_site_choose(code, len < HP_SITE_BYTES ? len : HP_SITE_BYTES, addr,
					     targets);
	return gosite;
}
