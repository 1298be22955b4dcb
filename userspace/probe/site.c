#include "probe/site.h"

#include <stdbool.h>

#include <Zydis/Zydis.h>

#include "probe/targets.h"

/*
 * trap:U3: the kernel refuses instructions with these prefixes (arch/x86/kernel/uprobes.c,
 * is_prefix_bad()), but only if the file is mapped at that moment; else the probe never fires.
 */
static bool has_refused_prefix(const ZydisDecodedInstruction *insn)
{
	for (unsigned i = 0; i < insn->raw.prefix_count; i++) {
		switch (insn->raw.prefixes[i].value) {
		case 0x26: /* es */
		case 0x2e: /* cs */
		case 0x36: /* ss */
		case 0x3e: /* ds, notrack */
		case 0xf0: /* lock */
			return true;
		default:
			break;
		}
	}
	return false;
}

static bool is_privileged_or_trap(const ZydisDecodedInstruction *insn)
{
	switch (insn->mnemonic) {
	case ZYDIS_MNEMONIC_INT:
	case ZYDIS_MNEMONIC_INT1:
	case ZYDIS_MNEMONIC_INT3:
	case ZYDIS_MNEMONIC_INTO:
	case ZYDIS_MNEMONIC_HLT:
	case ZYDIS_MNEMONIC_IRET:
	case ZYDIS_MNEMONIC_IRETD:
	case ZYDIS_MNEMONIC_IRETQ:
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_CLI: /* this, STI and ports are privileged by IOPL, which Zydis does not call so */
	case ZYDIS_MNEMONIC_STI:
		return true;
	default:
		return insn->meta.category == ZYDIS_CATEGORY_IO ||
		       insn->meta.category == ZYDIS_CATEGORY_IOSTRINGOP ||
		       (insn->attributes & ZYDIS_ATTRIB_IS_PRIVILEGED);
	}
}

/* trap:U1: what branch_setup_xol_ops() and push_setup_xol_ops() of the kernel take over. */
static bool is_emulated(const ZydisDecodedInstruction *insn)
{
	switch (insn->meta.category) {
	case ZYDIS_CATEGORY_COND_BR:
		return insn->opcode_map == ZYDIS_OPCODE_MAP_0F || (insn->opcode & 0xf0) == 0x70;
	case ZYDIS_CATEGORY_UNCOND_BR:
		return insn->opcode == 0xe9 || insn->opcode == 0xeb;
	case ZYDIS_CATEGORY_CALL:
		return insn->opcode == 0xe8;
	default:
		break;
	}
	if (insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && insn->opcode == 0x90)
		return true;
	return insn->mnemonic == ZYDIS_MNEMONIC_PUSH && insn->opcode >= 0x50 &&
	       insn->opcode <= 0x57;
}

/*
 * What else arch_uprobe_analyze_insn() turns down: near branches with an operand-size prefix, loads of ss
 * (they mask the exception of the step), SSE4a (its decoder does not know them).
 */
static bool is_refused(const ZydisDecodedInstruction *insn)
{
	/* Stepped, it pushes the trap flag of the step: the popf that follows ends the program (measured: SIGTRAP). */
	if (insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && insn->opcode == 0x9c)
		return true;
	/* 41 90 is xchg %r8,%rax, but the kernel emulates "prefixes, 0x90" as a nop: the program would go wrong. */
	if (insn->mnemonic == ZYDIS_MNEMONIC_XCHG && insn->opcode == 0x90)
		return insn->raw.rex.B;
	if (is_emulated(insn) && insn->mnemonic != ZYDIS_MNEMONIC_NOP &&
	    insn->mnemonic != ZYDIS_MNEMONIC_PUSH && insn->mnemonic != ZYDIS_MNEMONIC_PAUSE)
		return insn->attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE;
	if (insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && insn->opcode == 0x8e)
		return insn->raw.modrm.reg == 2;
	return insn->meta.isa_set == ZYDIS_ISA_SET_SSE4A;
}

/*
 * trap:U2: Linux 6.18 turns a uprobe on a nop of five bytes, whichever, into a call of a page of its own. The call writes
 * below the stack pointer, where a leaf function keeps data; and a forked child inherits the call, but not
 * the page (measured: it dies of SIGSEGV).
 */
static bool becomes_call(const ZydisDecodedInstruction *insn)
{
	return insn->mnemonic == ZYDIS_MNEMONIC_NOP && insn->length == 5;
}

static struct hp_site classify(const ZydisDecodedInstruction *insn)
{
	if (becomes_call(insn))
		return (struct hp_site){
			HP_SITE_REFUSED, 0,
			"its first instruction is a nop that the kernel turns into a call"};
	if (has_refused_prefix(insn))
		return (struct hp_site){HP_SITE_REFUSED, 0,
					"its first instruction has a prefix the kernel refuses"};
	if (is_privileged_or_trap(insn))
		return (struct hp_site){HP_SITE_REFUSED, 0,
					"its first instruction traps or is privileged"};
	if (is_refused(insn))
		return (struct hp_site){HP_SITE_REFUSED, 0,
					"its first instruction is one the kernel refuses"};
	return (struct hp_site){is_emulated(insn) ? HP_SITE_EMULATED : HP_SITE_STEPPED, 0, NULL};
}

static const struct hp_site not_code = {HP_SITE_REFUSED, 0, "its first bytes are no instruction"};

struct hp_site hp_site_at(const uint8_t *code, size_t len)
{
	ZydisDecodedInstruction insn;
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, code, len, &insn)))
		return not_code;
	return classify(&insn);
}

static bool writes_stack_pointer(const ZydisDecodedInstruction *insn,
				 const ZydisDecodedOperand *operands)
{
	for (unsigned i = 0; i < insn->operand_count; i++) {
		if (operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
		    ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64,
						     operands[i].reg.value) == ZYDIS_REGISTER_RSP)
			return true;
	}
	return false;
}

/* Does what follows @insn run exactly once for each time that it runs, on the same stack? */
static bool goes_on(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands)
{
	switch (insn->meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_SYSTEM:
		return false;
	default:
		return !is_privileged_or_trap(insn) && !writes_stack_pointer(insn, operands);
	}
}

static bool is_argument(ZydisRegister reg)
{
	switch (ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg)) {
	case ZYDIS_REGISTER_RDI:
	case ZYDIS_REGISTER_RSI:
	case ZYDIS_REGISTER_RDX:
	case ZYDIS_REGISTER_RCX:
	case ZYDIS_REGISTER_R8:
	case ZYDIS_REGISTER_R9:
		return true;
	default:
		return false;
	}
}

/* Are the arguments, and what they point to, the same after @insn? */
static bool keeps_arguments(const ZydisDecodedInstruction *insn,
			    const ZydisDecodedOperand *operands)
{
	for (unsigned i = 0; i < insn->operand_count; i++) {
		if (!(operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		if (operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY ||
		    (operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		     is_argument(operands[i].reg.value)))
			return false;
	}
	return true;
}

static struct hp_site choose(const uint8_t *code, size_t len, uint64_t addr,
			     const struct hp_targets *targets, bool intact)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction insn;
	struct hp_site best = not_code;
	ZydisDecoder decoder;
	uint32_t at = 0;

	if (hp_targets_loops(targets, addr))
		return (struct hp_site){
			HP_SITE_REFUSED, 0,
			"its entry is the head of a loop: rounds would count as calls"};
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	while (at < len && (at == 0 || !hp_targets_has(targets, addr + at)) &&
	       ZYAN_SUCCESS(
		       ZydisDecoderDecodeFull(&decoder, code + at, len - at, &insn, operands))) {
		struct hp_site site = classify(&insn);

		site.delta = at;
		if (at == 0 || site.class < best.class)
			best = site;
		if (best.class == HP_SITE_EMULATED || !goes_on(&insn, operands) ||
		    (intact && !keeps_arguments(&insn, operands)))
			break;
		at += insn.length;
	}
	if (best.class == HP_SITE_REFUSED)
		best.delta = 0;
	return best;
}

struct hp_site hp_site_choose(const uint8_t *code, size_t len, uint64_t addr,
			      const struct hp_targets *targets)
{
	return choose(code, len, addr, targets, false);
}

struct hp_site hp_site_choose_intact(const uint8_t *code, size_t len, uint64_t addr,
				     const struct hp_targets *targets)
{
	return choose(code, len, addr, targets, true);
}

const char *hp_site_class_name(enum hp_site_class class)
{
	static const char *const names[] = {
		[HP_SITE_EMULATED] = "emulated",
		[HP_SITE_STEPPED] = "stepped",
		[HP_SITE_REFUSED] = "refused",
	};

	return names[class];
}
