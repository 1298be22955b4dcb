/* Where the server listens, why it cannot, and clients that hold connections without using them. */
#include "http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "http/router.h"
#include "unit/http/client.h"

#define SMALL "{\"ok\":true}"
#define IDLE  40

struct fixture {
	struct hp_router *router;
	struct hp_server *server;
	uint16_t port;
};

static void handle_small(void *arg, const struct hp_request *request, uint32_t id,
			 struct hp_response *response)
{
	hp_response_json(response, 200, strdup(SMALL));
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool inside;

/* Work of a quarter of a second. */
static void handle_slow(void *arg, const struct hp_request *request, uint32_t id,
			struct hp_response *response)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_nsec += 250000000;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	pthread_mutex_lock(&lock);
	inside = true;
	pthread_cond_signal(&changed);
	while (pthread_cond_timedwait(&changed, &lock, &end) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&lock);
	hp_response_error(response, 429, "done all the same");
}

static int setup_router(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	assert_int_equal(hp_router_new(NULL, &fixture->router), 0);
	assert_int_equal(hp_router_add(fixture->router, "/small", NULL, handle_small, NULL), 0);
	assert_int_equal(hp_router_add(fixture->router, "/slow", NULL, handle_slow, NULL), 0);
	*state = fixture;
	return 0;
}

static int setup(void **state)
{
	struct hp_err err = {0};
	struct fixture *fixture;

	setup_router(state);
	fixture = *state;
	assert_int_equal(hp_server_start("127.0.0.1", 0, fixture->router, &fixture->server, &err),
			 0);
	fixture->port = hp_server_port(fixture->server);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	hp_server_free(fixture->server);
	hp_router_free(fixture->router);
	free(fixture);
	return 0;
}

static void check_ok(uint16_t port)
{
	struct reply reply;

	assert_int_equal(client_get(port, "/small", &reply), 0);
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.body, SMALL);
	reply_reset(&reply);
}

/* What a client that holds connections has sent on them. */
static const char *const held_texts[] = {
	"",
	"G",
	"GET /small HTTP/1.1\r\nhost: local",
	"GET /small HTTP/1.1\r\nhost: localhost\r\n",
	"POST /small HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\nabc",
};

static void hold(uint16_t port, int ret_fds[IDLE], const char *only)
{
	for (int i = 0; i < IDLE; i++) {
		const char *text = only ? only : held_texts[i % (int)HP_ARRAY_SIZE(held_texts)];

		ret_fds[i] = client_connect(port);
		assert_true(ret_fds[i] >= 0);
		assert_int_equal(client_send(ret_fds[i], text), 0);
	}
}

static void let_go(const int fds[IDLE])
{
	for (int i = 0; i < IDLE; i++)
		close(fds[i]);
}

/* Contract section 1: an idle or half-sent connection MUST NOT block the others. */
static void test_held_connections(void **state)
{
	struct fixture *fixture = *state;
	int fds[IDLE];

	hold(fixture->port, fds, NULL);
	for (int i = 0; i < 3; i++)
		check_ok(fixture->port);
	let_go(fds);
	check_ok(fixture->port);
}

static void test_connections_without_a_byte(void **state)
{
	struct fixture *fixture = *state;
	int fds[IDLE];

	hold(fixture->port, fds, "");
	check_ok(fixture->port);
	let_go(fds);
}

/* As a console's pool does: each has had its answer and is kept for later. */
static void test_idle_keep_alive(void **state)
{
	struct fixture *fixture = *state;
	struct reply reply;
	int fds[IDLE];

	hold(fixture->port, fds, "GET /small HTTP/1.1\r\nhost: localhost\r\n\r\n");
	for (int i = 0; i < IDLE; i++) {
		assert_int_equal(client_read(fds[i], false, &reply), 0);
		assert_int_equal(reply.status, 200);
		reply_reset(&reply);
	}
	check_ok(fixture->port);
	let_go(fds);
}

static void test_free_does_not_wait_for_idle_clients(void **state)
{
	struct fixture *fixture = *state;
	uint64_t begin = hp_clock_mono_ns();
	int fds[IDLE];

	hold(fixture->port, fds, NULL);
	hp_server_free(fixture->server);
	fixture->server = NULL;
	assert_true(hp_clock_mono_ns() - begin < UINT64_C(10000000000));
	assert_true(client_connect(fixture->port) < 0);
	let_go(fds);
}

static void test_free_lets_answers_out(void **state)
{
	struct fixture *fixture = *state;
	HP_AUTO_FD int fd = client_connect(fixture->port);
	struct reply reply;

	inside = false;
	assert_int_equal(client_send(fd, "GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n"), 0);
	pthread_mutex_lock(&lock);
	while (!inside)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	hp_server_free(fixture->server);
	fixture->server = NULL;
	assert_int_equal(client_read(fd, false, &reply), 0);
	assert_int_equal(reply.status, 429);
	assert_true(reply_has(&reply, "Retry-After: 5\r\n"));
	assert_string_equal(reply.body, "{\"error\":\"done all the same\"}");
	reply_reset(&reply);
}

static void test_same_port_again(void **state)
{
	struct fixture *fixture = *state;
	struct hp_err err = {0};

	check_ok(fixture->port);
	hp_server_free(fixture->server);
	fixture->server = NULL;
	/* Connections in TIME_WAIT do not hold the port. */
	assert_int_equal(hp_server_start("127.0.0.1", fixture->port, fixture->router,
					 &fixture->server, &err),
			 0);
	assert_int_equal(hp_server_port(fixture->server), fixture->port);
	check_ok(fixture->port);
}

static void test_two_servers(void **state)
{
	struct fixture *fixture = *state;
	HP_AUTO(hp_server) struct hp_server *other = NULL;
	struct hp_err err = {0};

	assert_int_equal(hp_server_start("127.0.0.1", 0, fixture->router, &other, &err), 0);
	assert_int_not_equal(hp_server_port(other), fixture->port);
	check_ok(hp_server_port(other));
	check_ok(fixture->port);
}

static void test_port_in_use(void **state)
{
	struct fixture *fixture = *state;
	struct hp_server *other = NULL;
	struct hp_err err = {0};
	char expected[160];

	snprintf(expected, sizeof(expected),
		 "port %u is in use on 127.0.0.1: choose another with --port, or stop the program "
		 "that holds it",
		 fixture->port);
	assert_int_equal(hp_server_start("127.0.0.1", fixture->port, fixture->router, &other, &err),
			 -EADDRINUSE);
	assert_null(other);
	assert_int_equal(err.code, -EADDRINUSE);
	assert_string_equal(err.text, expected);
	check_ok(fixture->port);
}

static void test_bad_address(void **state)
{
	/* The library takes lists and suffixes; --listen is one address. */
	static const char *const bad[] = {
		"",           "nonsense",          "999.1.1.1", "127.0.0.1:80", "127.0.0.1,",
		"127.0.0.1s", "127.0.0.1,0.0.0.0", "[::1",      "[zz::1]",      "127.0.0.1 "};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < HP_ARRAY_SIZE(bad); i++) {
		struct hp_server *server = NULL;
		struct hp_err err = {0};
		int r = hp_server_start(bad[i], 0, fixture->router, &server, &err);

		if (r != -EINVAL)
			print_error("'%s': %d\n", bad[i], r);
		hp_server_free(server);
		assert_int_equal(r, -EINVAL);
		assert_int_equal(err.code, -EINVAL);
		assert_true(strlen(err.text) > 10);
	}
}

/* TEST-NET-1 (RFC 5737): well written, but no machine has it. */
static void test_address_of_another_machine(void **state)
{
	struct fixture *fixture = *state;
	struct hp_server *server = NULL;
	struct hp_err err = {0};

	assert_true(hp_server_start("192.0.2.1", 0, fixture->router, &server, &err) < 0);
	assert_null(server);
	assert_non_null(strstr(err.text, "192.0.2.1"));
}

enum { CHILD_DENIED = 10, CHILD_ALLOWED, CHILD_WRONG, CHILD_NO_SENTENCE };

static int start_without_privilege(const struct hp_router *router)
{
	struct hp_server *server = NULL;
	struct hp_err err = {0};
	int r;

	if (geteuid() == 0 && (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)))
		return CHILD_ALLOWED;
	r = hp_server_start("127.0.0.1", 1, router, &server, &err);
	if (r == 0)
		return CHILD_ALLOWED;
	if (r != -EACCES)
		return CHILD_WRONG;
	return strstr(err.text, "port 1 ") ? CHILD_DENIED : CHILD_NO_SENTENCE;
}

static void test_port_denied(void **state)
{
	struct fixture *fixture = *state;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(start_without_privilege(fixture->router));
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CHILD_ALLOWED) {
		print_message("skipped: everybody may take port 1 here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), CHILD_DENIED);
}

static bool have_ipv6(void)
{
	const struct sockaddr_in6 address = {.sin6_family = AF_INET6,
					     .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	HP_AUTO_FD int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
}

static void test_ipv6(void **state)
{
	struct fixture *fixture = *state;
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	HP_AUTO_FD int fd = -1;
	struct hp_err err = {0};
	struct reply reply;
	int r;

	if (!have_ipv6()) {
		print_message("skipped: no IPv6 loopback address here\n");
		skip();
	}
	r = hp_server_start("[::1]", 0, fixture->router, &fixture->server, &err);
	/* Some builds of the library (Debian 12's) have no IPv6: then the sentence must say so. */
	if (r == -EINVAL && strstr(err.text, "IPv6")) {
		print_message("skipped: %s\n", err.text);
		skip();
	}
	if (r < 0)
		print_error("%d: %s\n", r, err.text);
	assert_int_equal(r, 0);
	address.sin6_port = htons(hp_server_port(fixture->server));
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(client_send(fd, "GET /small HTTP/1.1\r\nhost: [::1]:6770\r\n\r\n"), 0);
	assert_int_equal(client_read(fd, false, &reply), 0);
	assert_int_equal(reply.status, 200);
	reply_reset(&reply);
	/* Only there: not on the IPv4 loopback address. */
	assert_true(client_connect(hp_server_port(fixture->server)) < 0);
}

static void test_free_null(void **state)
{
	hp_server_free(NULL);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define WITH_ROUTER(test) cmocka_unit_test_setup_teardown(test, setup_router, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROUTER(test_port_denied), /* first: forks, so there should be no threads yet */
		WITH_SERVER(test_held_connections),
		WITH_SERVER(test_connections_without_a_byte),
		WITH_SERVER(test_idle_keep_alive),
		WITH_SERVER(test_free_does_not_wait_for_idle_clients),
		WITH_SERVER(test_free_lets_answers_out),
		WITH_SERVER(test_same_port_again),
		WITH_SERVER(test_two_servers),
		WITH_SERVER(test_port_in_use),
		WITH_ROUTER(test_bad_address),
		WITH_ROUTER(test_address_of_another_machine),
		WITH_ROUTER(test_ipv6),
		cmocka_unit_test(test_free_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
