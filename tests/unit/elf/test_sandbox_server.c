/* The server of the sandbox: it lives exactly as long as its owner wants, and serves one thread at a time;
 * tables do not wait for symbols. */
#include "elf/sandbox.h"

#include <pthread.h>
#include <sched.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "unit/elf/children.h"

static void test_stop(void **state)
{
	hp_sandbox_stop(); /* without a start */
	assert_int_equal(hp_sandbox_start(), 0);
	assert_int_equal(hp_sandbox_start(), 0); /* there is one already */
	hp_sandbox_stop();
	assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	hp_sandbox_stop();
	assert_int_equal(run(echo, "starts by itself"), 0);
	hp_sandbox_stop();
	assert_true(is_gone(shared->server));
	assert_true(is_gone(shared->child));
	assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static int kill_server(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	note_pids();
	kill(getppid(), SIGKILL);
	pause(); /* no signal of ours ends it */
	return 0;
}

static void test_server_is_gone(void **state)
{
	assert_int_equal(run(kill_server, ""), -EPIPE);
	assert_true(is_gone(shared->server));
	assert_true(has_ended(shared->child)); /* it does not outlive its server */
	waitpid(shared->child, NULL, 0);
	assert_int_equal(run(echo, "after"), 0);
}

/* Runs @life in a process of its own, as the owner of a sandbox; its exit status, or -1 after 20 s. */
static int live(void (*life)(void))
{
	pid_t pid = fork();
	int status = -1;

	assert_true(pid >= 0);
	if (pid == 0) {
		life();
		_exit(1);
	}
	if (!has_ended(pid)) {
		kill(pid, SIGKILL);
		if (shared->server > 0)
			kill(shared->server, SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void end_without_stop(void)
{
	_exit(run(echo, "x") == 0 ? 0 : 2);
}

static void test_owner_ends(void **state)
{
	assert_int_equal(live(end_without_stop), 0);
	assert_true(has_ended(shared->server));
	waitpid(shared->server, NULL, 0); /* we inherit it */
	assert_true(is_gone(shared->server));
}

static void live_without_stdio(void)
{
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	if (hp_sandbox_start() < 0 || run(echo, "x") < 0)
		_exit(2);
	hp_sandbox_stop();
	_exit(is_gone(shared->server) ? 0 : 3);
}

/* A service may be started with its standard descriptors closed. */
static void test_no_stdio(void **state)
{
	assert_int_equal(live(live_without_stdio), 0);
}

static int overlap(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	int running = atomic_fetch_add(&shared->running, 1) + 1;

	if (running > atomic_load(&shared->most_running))
		atomic_store(&shared->most_running, running);
	for (volatile unsigned i = 0; i < 1000000; i++)
		;
	atomic_fetch_sub(&shared->running, 1);
	return echo(fd, second_fd, ret_data, ret_size);
}

static void *run_often(void *arg)
{
	const char *text = arg;

	for (unsigned i = 0; i < 5; i++) {
		HP_AUTO_FREE char *data = NULL;
		size_t size = 0;

		if (run_with(overlap, text, &limits, &data, &size) != 0 || size != strlen(text) ||
		    memcmp(data, text, size) != 0)
			return "a thread got another's answer";
	}
	return NULL;
}

static void test_threads(void **state)
{
	static char texts[4][8] = {"a", "bb", "ccc", "dddd"};
	pthread_t threads[4];
	void *complaint;

	assert_int_equal(hp_sandbox_start(), 0);
	for (size_t i = 0; i < HP_ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_often, texts[i]), 0);
	for (size_t i = 0; i < HP_ARRAY_SIZE(threads); i++) {
		assert_int_equal(pthread_join(threads[i], &complaint), 0);
		assert_null(complaint);
	}
	assert_int_equal(shared->most_running, 1);
}

static atomic_uint alarms;

static void count_alarm(int sig)
{
	atomic_fetch_add(&alarms, 1);
}

static int work_a_little(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	uint64_t end = hp_clock_mono_ns() + SECOND / 5;

	while (hp_clock_mono_ns() < end)
		;
	return 0;
}

/* A signal while it waits is no end of the server's. */
static void test_interrupted(void **state)
{
	const struct sigaction action = {.sa_handler = count_alarm}; /* without SA_RESTART */
	const struct itimerval often = {{0, 10000}, {0, 10000}}, never = {{0, 0}, {0, 0}};

	assert_int_equal(hp_sandbox_start(), 0);
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	assert_int_equal(run(work_a_little, ""), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	signal(SIGALRM, SIG_DFL);
	assert_true(alarms > 0);
}

static int wait_for_other(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	const struct timespec tick = {.tv_nsec = 1000000};

	note_pids();
	atomic_store(&shared->running, 1);
	for (unsigned i = 0; i < 15000 && atomic_load(&shared->running) == 1; i++)
		nanosleep(&tick, NULL);
	return atomic_load(&shared->running) == 2 ? 0 : -ETIME;
}

static void *run_symbols(void *arg)
{
	*(int *)arg = run(wait_for_other, "");
	return NULL;
}

static int release(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	int waiting = 1;

	return atomic_compare_exchange_strong(&shared->running, &waiting, 2) ? 0 : -EBUSY;
}

/* The run in the lane of symbols ends only after that of tables, which is asked for later, has ended. */
static void test_lanes(void **state)
{
	struct hp_sandbox_limits tables = limits;
	pthread_t thread;
	pid_t server;
	int symbols = 1;

	tables.lane = HP_SANDBOX_TABLES;
	assert_int_equal(hp_sandbox_start(), 0);
	assert_int_equal(pthread_create(&thread, NULL, run_symbols, &symbols), 0);
	while (atomic_load(&shared->running) == 0)
		sched_yield();
	assert_int_equal(run_with(release, "", &tables, NULL, NULL), 0);
	pthread_join(thread, NULL);
	assert_int_equal(symbols, 0);
	server = shared->server;
	assert_int_equal(run_with(echo, "x", &tables, NULL, NULL), 0);
	assert_int_not_equal(shared->server, server);
	hp_sandbox_stop();
	assert_true(is_gone(shared->server) && is_gone(server)); /* both */
}

static int wait_for_interrupt(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	note_pids();
	while (true)
		pause();
	return 0;
}

static int end_by_itself(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	return 0;
}

static atomic_bool over;

static void *interrupt(void *arg)
{
	while (!over) {
		hp_sandbox_interrupt(end_by_itself); /* does not run: nothing is ended for it */
		if (__atomic_load_n(&shared->child, __ATOMIC_RELAXED))
			hp_sandbox_interrupt(wait_for_interrupt);
		sched_yield();
	}
	return arg;
}

/* Only the run that is meant ends, and the server serves on. */
static void test_interrupt(void **state)
{
	pthread_t thread;

	over = false;
	shared->child = 0;
	assert_int_equal(pthread_create(&thread, NULL, interrupt, NULL), 0);
	assert_int_equal(run(wait_for_interrupt, ""), -ETIMEDOUT);
	assert_true(is_gone(shared->child));
	assert_int_equal(run(echo, "not meant"), 0);
	over = true;
	pthread_join(thread, NULL);
	assert_int_equal(run(echo, "after"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(test_stop),       WITH_SERVER(test_server_is_gone),
		WITH_SERVER(test_owner_ends), WITH_SERVER(test_no_stdio),
		WITH_SERVER(test_threads),    WITH_SERVER(test_interrupted),
		WITH_SERVER(test_interrupt),  WITH_SERVER(test_lanes),
	};

	if (!share())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
