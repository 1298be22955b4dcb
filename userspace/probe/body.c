#include "probe/body.h"

#include <Zydis/Zydis.h>

#include "base/vec.h"

/* State of one scan: a bit per byte that begins an instruction, and the jumps to check at the end. */
struct scan {
	const struct hp_body_code *code;
	struct hp_body *body;
	uint8_t *starts;
	HP_VEC(uint64_t) targets;
};

static void scan_end(struct scan *scan)
{
	free(scan->starts);
	hp_vec_free(&scan->targets);
}

static bool is_inside(const struct scan *scan, uint64_t addr)
{
	return addr >= scan->code->addr && addr - scan->code->addr < scan->code->size;
}

static void unclear(struct scan *scan, const char *why)
{
	scan->body->leaf = false;
	if (!scan->body->unclear)
		scan->body->unclear = why;
}

static void add_exit(struct scan *scan, uint64_t addr)
{
	if (scan->body->nexits == HP_BODY_MAX_EXITS)
		unclear(scan, "it returns in too many places");
	else
		scan->body->exits[scan->body->nexits++] = addr;
}

static void take_jump(struct scan *scan, uint64_t addr, uint64_t target, bool conditional)
{
	if (is_inside(scan, target)) {
		if (hp_vec_push(&scan->targets, target) < 0)
			unclear(scan, "out of memory");
		return;
	}
	switch (scan->code->place(scan->code->arg, target)) {
	case HP_PLACE_OWN:
		return;
	case HP_PLACE_ENTRY:
		scan->body->leaf = false;
		if (conditional) /* a probe there fires whether the jump is taken or not */
			unclear(scan, "it leaves by a conditional jump");
		else
			add_exit(scan, addr);
		return;
	case HP_PLACE_OTHER:
		unclear(scan, "it jumps out of its known code");
		return;
	}
}

static void take_branch(struct scan *scan, const ZydisDecodedInstruction *insn,
			const ZydisDecodedOperand *operand, uint64_t addr)
{
	bool direct = operand->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operand->imm.is_relative;

	/* Not direct: a switch, or a tail call through a pointer, whose call stays without an exit. */
	if (insn->meta.category == ZYDIS_CATEGORY_CALL || !direct)
		scan->body->leaf = false;
	else
		take_jump(scan, addr, addr + insn->length + (uint64_t)operand->imm.value.s,
			  insn->meta.category == ZYDIS_CATEGORY_COND_BR);
}

static void take(struct scan *scan, const ZydisDecodedInstruction *insn,
		 const ZydisDecodedOperand *operands, uint64_t addr)
{
	switch (insn->meta.category) {
	case ZYDIS_CATEGORY_RET:
		add_exit(scan, addr);
		break;
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
		take_branch(scan, insn, &operands[0], addr);
		break;
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_INTERRUPT:
		scan->body->leaf = false;
		break;
	default:
		break;
	}
}

/* mov %fs:..., %r14: compiled code does so behind calls of assembly, which may use the register. */
static bool loads_g(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands)
{
	return insn->mnemonic == ZYDIS_MNEMONIC_MOV &&
	       operands[1].type == ZYDIS_OPERAND_TYPE_MEMORY &&
	       operands[1].mem.segment == ZYDIS_REGISTER_FS;
}

static bool loses_g(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands)
{
	for (unsigned i = 0; i < insn->operand_count; i++) {
		if (operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
		    ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64,
						     operands[i].reg.value) == ZYDIS_REGISTER_R14)
			return !loads_g(insn, operands);
	}
	return false;
}

static void check_targets(struct scan *scan)
{
	hp_vec_each(target, &scan->targets) {
		size_t at = (size_t)(*target - scan->code->addr);

		if (!(scan->starts[at / 8] & 1u << at % 8))
			unclear(scan, "a jump in it lands inside an instruction");
	}
}

void hp_body_scan(const struct hp_body_code *code, struct hp_body *body)
{
	HP_CLEANUP(scan_end) struct scan scan = {.code = code, .body = body};
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction insn;
	ZydisDecoder decoder;
	size_t at = 0;

	scan.starts = calloc(code->size / 8 + 1, 1);
	if (!scan.starts) {
		unclear(&scan, "out of memory");
		return;
	}
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	while (at < code->size) {
		if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code->data + at, code->size - at,
							 &insn, operands))) {
			unclear(&scan, "its code does not decode to its end");
			return;
		}
		scan.starts[at / 8] |= (uint8_t)(1u << at % 8);
		take(&scan, &insn, operands, code->addr + at);
		body->loses_g |= loses_g(&insn, operands);
		at += insn.length;
	}
	check_targets(&scan);
}
