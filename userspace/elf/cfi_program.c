#include "elf/cfi_program.h"

#include "elf/cfi_table.h"
#include "elf/cie.h"
#include "elf/leb.h"

enum { /* in the two highest bits, with an operand in the lower ones */
       CFA_ADVANCE_LOC = 0x40,
       CFA_OFFSET = 0x80,
       CFA_RESTORE = 0xc0,
};

enum {
	CFA_NOP = 0x00,
	CFA_SET_LOC = 0x01,
	CFA_ADVANCE_LOC1 = 0x02,
	CFA_ADVANCE_LOC2 = 0x03,
	CFA_ADVANCE_LOC4 = 0x04,
	CFA_OFFSET_EXTENDED = 0x05,
	CFA_RESTORE_EXTENDED = 0x06,
	CFA_UNDEFINED = 0x07,
	CFA_SAME_VALUE = 0x08,
	CFA_REGISTER = 0x09,
	CFA_REMEMBER_STATE = 0x0a,
	CFA_RESTORE_STATE = 0x0b,
	CFA_DEF_CFA = 0x0c,
	CFA_DEF_CFA_REGISTER = 0x0d,
	CFA_DEF_CFA_OFFSET = 0x0e,
	CFA_DEF_CFA_EXPRESSION = 0x0f,
	CFA_EXPRESSION = 0x10,
	CFA_OFFSET_EXTENDED_SF = 0x11,
	CFA_DEF_CFA_SF = 0x12,
	CFA_DEF_CFA_OFFSET_SF = 0x13,
	CFA_VAL_OFFSET = 0x14,
	CFA_VAL_OFFSET_SF = 0x15,
	CFA_VAL_EXPRESSION = 0x16,
	CFA_GNU_ARGS_SIZE = 0x2e,
	CFA_GNU_NEGATIVE_OFFSET_EXTENDED = 0x2f,
};

struct run {
	const struct hp_cie *cie;
	uint64_t vaddr; /* of the section */
	struct hp_reader reader;
	struct hp_cfi_table *table; /* NULL: the instructions of a CIE, which have no addresses */
	const struct hp_cfi_state *initial; /* NULL: in a CIE, which has nothing to restore */
	uint64_t loc, low, high;            /* [low, high) is wanted */
	bool changed;                       /* since `rule` was found */
	uint16_t rule;
	unsigned remembered;
	struct hp_cfi_state *stack; /* of HP_CFI_MAX_REMEMBERED */
	struct hp_cfi_state state;
};

/* The state holds from run->loc up to @next. */
static int advance(struct run *run, uint64_t next)
{
	struct hp_unwind_rule rule;
	int r = 0;

	if (next < run->loc || !run->table) {
		run->state.broken = true;
		run->changed = true;
		return 0;
	}
	if (next > run->low && run->loc < run->high && next > run->loc) {
		if (run->changed) {
			rule = hp_cfi_rule_of(&run->state);
			run->rule = hp_cfi_table_number(run->table, &rule);
			run->changed = false;
		}
		r = hp_cfi_table_add(run->table, run->loc > run->low ? run->loc : run->low,
				     run->rule);
	}
	run->loc = next;
	return r;
}

static int advance_by(struct run *run, uint64_t delta)
{
	uint64_t next;

	if (__builtin_mul_overflow(delta, run->cie->code_align, &next) ||
	    __builtin_add_overflow(run->loc, next, &next))
		next = UINT64_MAX;
	return advance(run, next);
}

/* NULL: a register that a walk does not need. */
static struct hp_cfi_register *find_register(struct hp_cfi_state *state, uint64_t reg)
{
	switch (reg) {
	case HP_CIE_REG_RBP:
		return &state->rbp;
	case HP_CIE_REG_RSP:
		return &state->rsp;
	case HP_CIE_REG_RIP:
		return &state->rip;
	default:
		return NULL;
	}
}

static void set(struct run *run, uint64_t reg, enum hp_cfi_how how, int64_t offset)
{
	struct hp_cfi_register *where = find_register(&run->state, reg);

	if (!where)
		return;
	*where = (struct hp_cfi_register){.how = how, .offset = offset};
	run->changed = true;
}

/* A product that does not fit is no offset that a rule can hold either. */
static int64_t factored(const struct run *run, int64_t value)
{
	int64_t product;

	return __builtin_mul_overflow(value, run->cie->data_align, &product) ? INT64_MAX : product;
}

static void set_factored(struct run *run, uint64_t reg, enum hp_cfi_how how, int64_t value)
{
	set(run, reg, how, factored(run, value));
}

static void restore(struct run *run, uint64_t reg)
{
	struct hp_cfi_register *where = find_register(&run->state, reg);

	if (!where)
		return;
	if (run->initial)
		*where = *find_register((struct hp_cfi_state *)run->initial, reg);
	else
		run->state.broken = true;
	run->changed = true;
}

static struct hp_cfi_bytes read_expression(struct run *run)
{
	uint64_t size = hp_leb_unsigned(&run->reader);
	const uint8_t *data = hp_reader_bytes(&run->reader, size);

	return (struct hp_cfi_bytes){data, data ? (uint32_t)size : 0};
}

static void set_expression(struct run *run, enum hp_cfi_how how)
{
	uint64_t reg = hp_leb_unsigned(&run->reader);
	struct hp_cfi_bytes expression = read_expression(run);
	struct hp_cfi_register *where = find_register(&run->state, reg);

	set(run, reg, how, 0);
	if (where)
		where->expression = expression;
}

static void define_cfa(struct run *run, uint64_t reg, int64_t offset)
{
	run->state.cfa_reg = reg;
	run->state.cfa_offset = offset;
	run->state.cfa_expression = (struct hp_cfi_bytes){0};
	run->changed = true;
}

/* Changes one half of register + offset, which an expression does not have. */
static void redefine_cfa(struct run *run, uint64_t reg, int64_t offset)
{
	run->state.broken |= run->state.cfa_expression.data != NULL;
	define_cfa(run, reg, offset);
}

static void remember(struct run *run)
{
	if (run->remembered == HP_CFI_MAX_REMEMBERED)
		run->state.broken = run->changed = true;
	else
		run->stack[run->remembered++] = run->state;
}

static void recall(struct run *run)
{
	if (run->remembered == 0)
		run->state.broken = true;
	else
		run->state = run->stack[--run->remembered];
	run->changed = true;
}

/* Instructions that say where the CFA is; false: it is none of them. */
static bool do_cfa(struct run *run, uint8_t op)
{
	struct hp_reader *reader = &run->reader;
	uint64_t reg;

	switch (op) {
	case CFA_DEF_CFA:
		reg = hp_leb_unsigned(reader);
		define_cfa(run, reg, (int64_t)hp_leb_unsigned(reader));
		return true;
	case CFA_DEF_CFA_SF:
		reg = hp_leb_unsigned(reader);
		define_cfa(run, reg, factored(run, hp_leb_signed(reader)));
		return true;
	case CFA_DEF_CFA_REGISTER:
		redefine_cfa(run, hp_leb_unsigned(reader), run->state.cfa_offset);
		return true;
	case CFA_DEF_CFA_OFFSET:
		redefine_cfa(run, run->state.cfa_reg, (int64_t)hp_leb_unsigned(reader));
		return true;
	case CFA_DEF_CFA_OFFSET_SF:
		redefine_cfa(run, run->state.cfa_reg, factored(run, hp_leb_signed(reader)));
		return true;
	case CFA_DEF_CFA_EXPRESSION:
		run->state.cfa_expression = read_expression(run);
		run->changed = true;
		return true;
	default:
		return false;
	}
}

/* Those that say where a register is; false: it is none of them. */
static bool do_register(struct run *run, uint8_t op)
{
	struct hp_reader *reader = &run->reader;
	uint64_t reg;

	switch (op) {
	case CFA_OFFSET_EXTENDED:
	case CFA_VAL_OFFSET:
		reg = hp_leb_unsigned(reader);
		set_factored(run, reg, op == CFA_VAL_OFFSET ? HP_CFI_VAL_OFFSET : HP_CFI_OFFSET,
			     (int64_t)hp_leb_unsigned(reader));
		return true;
	case CFA_OFFSET_EXTENDED_SF:
	case CFA_VAL_OFFSET_SF:
		reg = hp_leb_unsigned(reader);
		set_factored(run, reg, op == CFA_VAL_OFFSET_SF ? HP_CFI_VAL_OFFSET : HP_CFI_OFFSET,
			     hp_leb_signed(reader));
		return true;
	case CFA_GNU_NEGATIVE_OFFSET_EXTENDED:
		reg = hp_leb_unsigned(reader);
		set_factored(run, reg, HP_CFI_OFFSET, (int64_t)-hp_leb_unsigned(reader));
		return true;
	case CFA_RESTORE_EXTENDED:
		restore(run, hp_leb_unsigned(reader));
		return true;
	case CFA_UNDEFINED:
		set(run, hp_leb_unsigned(reader), HP_CFI_UNDEFINED, 0);
		return true;
	case CFA_SAME_VALUE:
		set(run, hp_leb_unsigned(reader), HP_CFI_SAME, 0);
		return true;
	case CFA_REGISTER:
		set(run, hp_leb_unsigned(reader), HP_CFI_OTHER, 0);
		hp_leb_unsigned(reader);
		return true;
	case CFA_EXPRESSION:
		set_expression(run, HP_CFI_EXPRESSION);
		return true;
	case CFA_VAL_EXPRESSION:
		set_expression(run, HP_CFI_OTHER);
		return true;
	default:
		return false;
	}
}

static int do_one(struct run *run, uint8_t op)
{
	switch (op) {
	case CFA_NOP:
		return 0;
	case CFA_SET_LOC:
		return advance(run, hp_cie_address(&run->reader, run->cie->encoding, run->vaddr));
	case CFA_ADVANCE_LOC1:
		return advance_by(run, hp_leb_byte(&run->reader));
	case CFA_ADVANCE_LOC2:
		return advance_by(run, hp_reader_u16(&run->reader));
	case CFA_ADVANCE_LOC4:
		return advance_by(run, hp_reader_u32(&run->reader));
	case CFA_REMEMBER_STATE:
		remember(run);
		return 0;
	case CFA_RESTORE_STATE:
		recall(run);
		return 0;
	case CFA_GNU_ARGS_SIZE: /* for those who land in the function, not for a walk */
		hp_leb_unsigned(&run->reader);
		return 0;
	default:
		/* How long an unknown instruction is, is unknown too. */
		if (!do_cfa(run, op) && !do_register(run, op))
			run->reader.failed = true;
		return 0;
	}
}

static int carry_out(struct run *run)
{
	int r = 0;

	while (r == 0 && !run->reader.failed && run->reader.pos < run->reader.size &&
	       run->loc < run->high) {
		uint8_t op = hp_leb_byte(&run->reader), operand = op & 0x3f;

		if ((op & 0xc0) == CFA_ADVANCE_LOC)
			r = advance_by(run, operand);
		else if ((op & 0xc0) == CFA_OFFSET)
			set_factored(run, operand, HP_CFI_OFFSET,
				     (int64_t)hp_leb_unsigned(&run->reader));
		else if ((op & 0xc0) == CFA_RESTORE)
			restore(run, operand);
		else
			r = do_one(run, op);
	}
	if (run->reader.failed)
		run->state.broken = run->changed = true;
	return r;
}

/* trap:S4: a CIE whose instructions are longer than any compiler writes is not carried out for each of its FDEs. */
static void use_cie(struct hp_cfi_program *program, const struct hp_cie_records *records)
{
	struct run run = {
		.cie = &records->cie,
		.vaddr = records->vaddr,
		.reader = records->cie.program,
		.high = UINT64_MAX,
		.stack = program->stack,
		/* Until the CFA is defined, no register has it. */
		.state = {.signal = records->cie.signal, .cfa_reg = UINT64_MAX},
	};

	if (program->cie_pos == records->cie_pos + 1)
		return;
	if (hp_reader_left(&run.reader) > HP_CIE_MAX_PROGRAM)
		run.state.broken = true;
	else
		carry_out(&run);
	program->initial = run.state;
	program->cie_pos = records->cie_pos + 1;
}

int hp_cfi_program_run(struct hp_cfi_program *program, const struct hp_cie_records *records,
		       const struct hp_fde *fde, uint64_t low, uint64_t high,
		       struct hp_cfi_table *table)
{
	struct run run = {
		.cie = &records->cie,
		.vaddr = records->vaddr,
		.reader = fde->program,
		.table = table,
		.initial = &program->initial,
		.loc = fde->start,
		.low = low,
		.high = high,
		.changed = true,
		.stack = program->stack,
	};
	int r;

	use_cie(program, records);
	run.state = program->initial;
	r = carry_out(&run);
	return r < 0 || run.loc >= high ? r : advance(&run, high);
}
