/* Priority on the target's CPU and back; where priority is not allowed, the thread stays where it may run. As root. */
#include "domains/functions/functions_haste.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int policy_of_self(void)
{
	struct sched_param param;
	int policy;

	return pthread_getschedparam(pthread_self(), &policy, &param) ? -1 : policy;
}

static cpu_set_t cpus_of_self(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	pthread_getaffinity_np(pthread_self(), sizeof(set), &set);
	return set;
}

/* The last CPU we may run on. */
static int last_cpu(const cpu_set_t *set)
{
	int last = -1;

	for (int i = 0; i < CPU_SETSIZE; i++)
		last = CPU_ISSET(i, set) ? i : last;
	return last;
}

/* A process that has run on @cpu and waits. */
static pid_t resident_of(int cpu)
{
	int fds[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		sched_setaffinity(0, sizeof(set), &set);
		_exit(write(fds[1], "", 1) != 1 || pause());
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	return pid;
}

static void test_there_and_back(void **state)
{
	const cpu_set_t before = cpus_of_self();
	int cpu = last_cpu(&before), policy = policy_of_self();
	pid_t target = resident_of(cpu);
	struct hp_haste haste;
	cpu_set_t set;

	hp_haste_begin(&haste, target);
	set = cpus_of_self();
	assert_int_equal(policy_of_self(), SCHED_RR);
	assert_int_equal(CPU_COUNT(&set), 1);
	assert_true(CPU_ISSET(cpu, &set));
	hp_haste_end(&haste);
	set = cpus_of_self();
	assert_int_equal(policy_of_self(), policy);
	assert_true(CPU_EQUAL(&set, &before));
	hp_haste_end(&haste);
	hp_haste_end(&(struct hp_haste){0});
	kill(target, SIGKILL);
	waitpid(target, NULL, 0);
}

/* Whoever ran as a batch job goes on as one. */
static void test_policy_comes_back(void **state)
{
	const struct sched_param param = {0};
	struct hp_haste haste;

	assert_int_equal(pthread_setschedparam(pthread_self(), SCHED_BATCH, &param), 0);
	hp_haste_begin(&haste, getpid());
	assert_int_equal(policy_of_self(), SCHED_RR);
	hp_haste_end(&haste);
	assert_int_equal(policy_of_self(), SCHED_BATCH);
	pthread_setschedparam(pthread_self(), SCHED_OTHER, &param);
}

static void test_a_target_that_is_gone(void **state)
{
	const cpu_set_t before = cpus_of_self();
	struct hp_haste haste;
	cpu_set_t set;

	hp_haste_begin(&haste, 1 << 22);
	set = cpus_of_self();
	assert_true(CPU_EQUAL(&set, &before));
	hp_haste_end(&haste);
	assert_int_equal(policy_of_self(), SCHED_OTHER);
}

static int unprivileged(void)
{
	const struct rlimit none = {0, 0};
	const cpu_set_t before = cpus_of_self();
	struct hp_haste haste;
	cpu_set_t set;
	bool same;

	if (setrlimit(RLIMIT_RTPRIO, &none) || setgid(65534) || setuid(65534))
		return 2;
	hp_haste_begin(&haste, getpid());
	hp_haste_follow(pthread_self(), getpid());
	set = cpus_of_self();
	same = CPU_EQUAL(&set, &before) && policy_of_self() == SCHED_OTHER;
	hp_haste_end(&haste);
	return !same;
}

static void test_not_allowed(void **state)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(unprivileged());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_policy_comes_back),
		cmocka_unit_test(test_a_target_that_is_gone),
		cmocka_unit_test(test_not_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
