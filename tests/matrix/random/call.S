/*
 * void mx_call(void (*function)(void)): loads all registers and the arithmetic flags from mx_state, calls the
 * function and stores there what it left. The layout of mx_state is in main.c.
 */
#ifdef __AVX2__
#define MOVE_VECTOR(k, from, to) vmovdqu from, to
#define VECTOR(k) %ymm##k
#else
#define MOVE_VECTOR(k, from, to) movdqu from, to
#define VECTOR(k) %xmm##k
#endif
#define VECTOR_MEMORY(k) mx_state + 128 + 32 * k(%rip)
#define LOAD_VECTOR(k)	 MOVE_VECTOR(k, VECTOR_MEMORY(k), VECTOR(k));
#define STORE_VECTOR(k)	 MOVE_VECTOR(k, VECTOR(k), VECTOR_MEMORY(k));
#define LOAD(k, reg)	 movq mx_state + 8 * k(%rip), %reg;
#define STORE(k, reg)	 movq %reg, mx_state + 8 * k(%rip);
#define REGISTERS(X)                                                                           \
	X(0, rax) X(1, rbx) X(2, rcx) X(3, rdx) X(4, rsi) X(5, rdi) X(6, rbp) X(7, r8) X(8, r9) X(9, r10)    \
	X(10, r11) X(11, r12) X(12, r13) X(13, r14) X(14, r15)
#define VECTORS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

	.text
	.globl mx_call
	.type mx_call, @function
mx_call:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rdi, mx_target(%rip)
	VECTORS(LOAD_VECTOR)
	movq mx_state + 120(%rip), %rax
	andq $0x8d5, %rax /* carry, parity, adjust, zero, sign, overflow */
	pushq %rax
	popfq
	REGISTERS(LOAD)
	call *mx_target(%rip)
	REGISTERS(STORE)
	pushfq
	popq mx_state + 120(%rip)
	cld
	VECTORS(STORE_VECTOR)
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret
	.size mx_call, . - mx_call
	.section .note.GNU-stack, "", @progbits
