/* A forked child that calls functions of its own when told to: a target whose calls are known. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

__attribute__((noipa, used)) static uint64_t traced_a(uint64_t x)
{
	return x + 1;
}

__attribute__((noipa, used)) static uint64_t traced_b(uint64_t x)
{
	return x * 3;
}

/* Two ways out; and code that begins with a prefix the kernel refuses (a nop all the same). */
uint64_t two_exits(uint64_t x);
uint64_t refused(uint64_t x);
extern const char two_exits_first[], two_exits_second[];
__asm__(".text\n"
	"two_exits: test %rdi,%rdi\n je 1f\n mov $1,%eax\n"
	"two_exits_first: ret\n"
	"1: xor %eax,%eax\n"
	"two_exits_second: ret\n"
	"refused: .byte 0x2e, 0x90\n mov %rdi,%rax\n ret\n");

enum { A, B, TWO_EXITS, REFUSED, NFUNCTIONS };
static const void *const addresses[] = {(const void *)traced_a, (const void *)traced_b,
					(const void *)two_exits, (const void *)refused};

#define ENTITY(function) (1 + (uint32_t)(function))

struct callee {
	pid_t pid;
	int calls, answers; /* pipes: function to call; one byte per call done */
};

static inline void callee_main(int calls, int answers)
{
	uint8_t function;

	while (read(calls, &function, 1) == 1) {
		uint64_t x = function == A         ? traced_a(1)
			     : function == B       ? traced_b(1)
			     : function == REFUSED ? refused(1)
						   : two_exits(0) + two_exits(1);

		if (x == 0 || write(answers, &function, 1) != 1)
			break;
	}
	_exit(0);
}

static inline void callee_call(const struct callee *callee, uint8_t function)
{
	uint8_t answer = 0xff;

	assert_int_equal(write(callee->calls, &function, 1), 1);
	assert_int_equal(read(callee->answers, &answer, 1), 1);
	assert_int_equal(answer, function);
}

static inline void callee_start(struct callee *callee)
{
	int calls[2], answers[2];

	assert_int_equal(pipe(calls), 0);
	assert_int_equal(pipe(answers), 0);
	callee->pid = fork();
	if (callee->pid == 0) {
		close(calls[1]);
		close(answers[0]);
		callee_main(calls[0], answers[1]);
	}
	close(calls[0]);
	close(answers[1]);
	callee->calls = calls[1];
	callee->answers = answers[0];
}

static inline void callee_stop(struct callee *callee)
{
	if (callee->pid <= 0)
		return;
	close(callee->calls);
	close(callee->answers);
	waitpid(callee->pid, NULL, 0);
	callee->pid = 0;
}
