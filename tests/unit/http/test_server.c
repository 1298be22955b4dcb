/* The server with real sockets: framing, keep-alive, slow and rude clients, failures to listen. */
#include "http/server.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "base/err.h"
#include "http/router.h"
#include "unit/http/client.h"

#define BIG_LEN (2u << 20)
#define CLIENTS 8
#define SMALL   "{\"ok\":true}"

struct meeting {
	pthread_mutex_t lock;
	pthread_cond_t all_here;
	unsigned here;
};

struct fixture {
	struct hp_router *router;
	struct hp_server *server;
	uint16_t port;
	struct meeting meeting;
};

static void handle_small(void *arg, const struct hp_request *request, uint32_t id,
			 struct hp_response *response)
{
	hp_response_json(response, 200, strdup(SMALL));
}

/* The method and query as the server handed them over. */
static void handle_echo(void *arg, const struct hp_request *request, uint32_t id,
			struct hp_response *response)
{
	char *body = NULL;

	if (asprintf(&body, "[\"%s\",\"%s\",%u]", request->method,
		     request->query ? request->query : "(none)", id) > 0)
		hp_response_json(response, 202, body);
}

static void handle_big(void *arg, const struct hp_request *request, uint32_t id,
		       struct hp_response *response)
{
	char *body = malloc(BIG_LEN + 1);

	for (unsigned i = 0; i < BIG_LEN; i++)
		body[i] = (char)('a' + i % 23);
	body[0] = body[BIG_LEN - 1] = '"';
	body[BIG_LEN] = '\0';
	hp_response_json(response, 200, body);
}

/* Answers when CLIENTS requests are in here at the same time. */
static void handle_meet(void *arg, const struct hp_request *request, uint32_t id,
			struct hp_response *response)
{
	struct meeting *meeting = arg;
	struct timespec end;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += CLIENT_LIMIT_MS / 1000;
	pthread_mutex_lock(&meeting->lock);
	if (++meeting->here == CLIENTS)
		pthread_cond_broadcast(&meeting->all_here);
	while (meeting->here < CLIENTS && r == 0)
		r = pthread_cond_timedwait(&meeting->all_here, &meeting->lock, &end);
	pthread_mutex_unlock(&meeting->lock);
	if (r == 0)
		hp_response_json(response, 200, strdup(SMALL));
	else
		hp_response_error(response, 503, "the others did not come");
}

static void handle_late(void *arg, const struct hp_request *request, uint32_t id,
			struct hp_response *response)
{
	hp_response_error(response, 503, "ask again");
}

static int make_router(struct fixture *fixture)
{
	int r = hp_router_new(NULL, &fixture->router);

	if (r == 0)
		r = hp_router_add(fixture->router, "/small", NULL, handle_small, NULL);
	if (r == 0)
		r = hp_router_add(fixture->router, "/echo/{id}/logs", "*", handle_echo, NULL);
	if (r == 0)
		r = hp_router_add(fixture->router, "/big", NULL, handle_big, NULL);
	if (r == 0)
		r = hp_router_add(fixture->router, "/late", NULL, handle_late, NULL);
	if (r == 0)
		r = hp_router_add(fixture->router, "/meet", NULL, handle_meet, &fixture->meeting);
	return r;
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct hp_err err = {0};

	assert_non_null(fixture);
	pthread_mutex_init(&fixture->meeting.lock, NULL);
	pthread_cond_init(&fixture->meeting.all_here, NULL);
	assert_int_equal(make_router(fixture), 0);
	assert_int_equal(hp_server_start("127.0.0.1", 0, fixture->router, &fixture->server, &err),
			 0);
	fixture->port = hp_server_port(fixture->server);
	assert_int_not_equal(fixture->port, 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	hp_server_free(fixture->server);
	hp_router_free(fixture->router);
	pthread_cond_destroy(&fixture->meeting.all_here);
	pthread_mutex_destroy(&fixture->meeting.lock);
	free(fixture);
	return 0;
}

static void check_ok(const struct fixture *fixture)
{
	struct reply reply;

	assert_int_equal(client_get(fixture->port, "/small", &reply), 0);
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.body, SMALL);
	reply_reset(&reply);
}

static void test_headers(void **state)
{
	struct fixture *fixture = *state;
	struct reply reply;

	assert_int_equal(client_get(fixture->port, "/small", &reply), 0);
	assert_int_equal(reply.status, 200);
	assert_true(reply_has(&reply, "Content-Type: application/json"));
	assert_true(reply_has(&reply, "Content-Length: 11"));
	assert_true(reply_has(&reply, "Cache-Control: no-store"));
	assert_false(reply_has(&reply, "Access-Control-Allow-Origin"));
	assert_false(reply_has(&reply, "Retry-After"));
	assert_string_equal(reply.body, SMALL);
	reply_reset(&reply);
}

static void test_too_busy(void **state)
{
	struct fixture *fixture = *state;
	struct reply reply;

	assert_int_equal(client_get(fixture->port, "/late", &reply), 0);
	assert_int_equal(reply.status, 503);
	assert_true(reply_has(&reply, "Retry-After: 1\r\n"));
	assert_string_equal(reply.body, "{\"error\":\"ask again\"}");
	reply_reset(&reply);
}

static void expect(const struct fixture *fixture, const char *request, int status, const char *body)
{
	HP_AUTO_FD int fd = client_connect(fixture->port);
	struct reply reply;

	assert_true(fd >= 0);
	assert_int_equal(client_send(fd, request), 0);
	assert_int_equal(client_read(fd, false, &reply), 0);
	if (reply.status != status)
		print_error("status %d for %s\n", reply.status, request);
	assert_int_equal(reply.status, status);
	assert_true(reply_has(&reply, "Content-Type: application/json"));
	if (body)
		assert_string_equal(reply.body, body);
	reply_reset(&reply);
}

#define NOT_FOUND "{\"error\":\"Not found\"}"

/* The library decodes and tidies paths; the contract wants the bytes that were sent. */
static void test_raw_path(void **state)
{
	static const char *const paths[] = {"/",         "/Small",    "/small/",     "/sm%61ll",
					    "//small",   "/./small",  "/x/../small", "/small%3Fx",
					    "/small%00", "/../small", "/small%2F",   "/nowhere"};
	char request[256];

	for (size_t i = 0; i < HP_ARRAY_SIZE(paths); i++) {
		snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nhost: localhost\r\n\r\n",
			 paths[i]);
		expect(*state, request, 404, NOT_FOUND);
	}
}

static void test_query_and_method_reach_the_handler(void **state)
{
	expect(*state, "GET /echo/7/logs HTTP/1.1\r\nhost: localhost\r\n\r\n", 202,
	       "[\"GET\",\"(none)\",7]");
	expect(*state, "GET /echo/+07/logs?raw=1?b=%31&c HTTP/1.1\r\nhost: localhost\r\n\r\n", 202,
	       "[\"GET\",\"raw=1?b=%31&c\",7]");
	expect(*state, "POST /echo/7/logs HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n",
	       202, "[\"POST\",\"(none)\",7]");
	expect(*state, "DELETE /small HTTP/1.1\r\nhost: localhost\r\n\r\n", 405, NULL);
	expect(*state, "OPTIONS /small HTTP/1.1\r\nhost: localhost\r\n\r\n", 405, NULL);
}

static void test_host_and_origin_are_checked(void **state)
{
	expect(*state, "GET /small HTTP/1.0\r\n\r\n", 200, SMALL);
	expect(*state, "GET /small HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403, NULL);
	expect(*state,
	       "GET /small HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n", 403,
	       NULL);
	expect(*state,
	       "GET /small HTTP/1.1\r\nHost: localhost\r\nORIGIN: http://localhost:1\r\n\r\n", 200,
	       SMALL);
}

static void test_keep_alive(void **state)
{
	struct fixture *fixture = *state;
	HP_AUTO_FD int fd = client_connect(fixture->port);
	struct reply reply;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(client_send(fd, "GET /small HTTP/1.1\r\nhost: localhost:6770\r\n"
						 "accept: */*\r\n\r\n"),
				 0);
		assert_int_equal(client_read(fd, false, &reply), 0);
		assert_int_equal(reply.status, 200);
		assert_string_equal(reply.body, SMALL);
		reply_reset(&reply);
	}
	/* An error does not end the connection either. */
	assert_int_equal(client_send(fd, "GET /no HTTP/1.1\r\nhost: localhost\r\n\r\n"), 0);
	assert_int_equal(client_read(fd, false, &reply), 0);
	assert_int_equal(reply.status, 404);
	reply_reset(&reply);
	assert_int_equal(client_send(fd, "GET /small HTTP/1.1\r\nhost: localhost\r\n\r\n"), 0);
	assert_int_equal(client_read(fd, false, &reply), 0);
	assert_int_equal(reply.status, 200);
	reply_reset(&reply);
}

static void test_head_has_no_body(void **state)
{
	struct fixture *fixture = *state;
	HP_AUTO_FD int fd = client_connect(fixture->port);
	struct reply reply;

	assert_int_equal(client_send(fd, "HEAD /small HTTP/1.1\r\nhost: localhost\r\n\r\n"), 0);
	assert_int_equal(client_read(fd, true, &reply), 0);
	assert_int_equal(reply.status, 200);
	assert_true(reply_has(&reply, "Content-Type: application/json"));
	assert_true(reply_has(&reply, "Content-Length: 11"));
	reply_reset(&reply);
	/* Bytes of a body would be taken for the start of this answer. */
	assert_int_equal(client_send(fd, "GET /small HTTP/1.1\r\nhost: localhost\r\n\r\n"), 0);
	assert_int_equal(client_read(fd, false, &reply), 0);
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.body, SMALL);
	reply_reset(&reply);
}

static void test_big_body(void **state)
{
	struct fixture *fixture = *state;
	struct reply reply;

	assert_int_equal(client_get(fixture->port, "/big", &reply), 0);
	assert_int_equal(reply.status, 200);
	assert_int_equal(reply.len, BIG_LEN);
	for (unsigned i = 1; i < BIG_LEN - 1; i++) {
		if (reply.body[i] != (char)('a' + i % 23))
			fail_msg("byte %u is wrong", i);
	}
	reply_reset(&reply);
}

/* A body nobody asked for must not be read as the next request of the connection. */
static void test_body_of_a_request(void **state)
{
	struct fixture *fixture = *state;
	HP_AUTO_FD int fd = client_connect(fixture->port);
	struct reply reply;

	assert_int_equal(client_send(fd, "POST /small HTTP/1.1\r\nhost: localhost\r\n"
					 "content-length: 36\r\n\r\n"
					 "GET /big HTTP/1.1\r\nhost: localhost\r\n"),
			 0);
	assert_int_equal(client_read(fd, false, &reply), 0);
	assert_int_equal(reply.status, 405);
	reply_reset(&reply);
	/* The server may close here; if it does not, the answer belongs to this request. */
	if (client_send(fd, "GET /small HTTP/1.1\r\nhost: localhost\r\n\r\n") == 0 &&
	    client_read(fd, false, &reply) == 0) {
		assert_int_equal(reply.status, 200);
		assert_string_equal(reply.body, SMALL);
		reply_reset(&reply);
	}
	check_ok(fixture);
}

/* No signal may end us: the test has SIGPIPE at its default, which kills. */
static void test_client_resets(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < 20; i++) {
		int fd = client_connect(fixture->port);

		assert_true(fd >= 0);
		assert_int_equal(client_send(fd, "GET /big HTTP/1.1\r\nhost: localhost\r\n\r\n"),
				 0);
		if (i % 2)
			client_wait(fd); /* the answer has begun */
		client_reset(fd);
	}
	check_ok(fixture);
}

static void test_malformed(void **state)
{
	struct fixture *fixture = *state;
	static const char *const requests[] = {
		"BAD\r\n\r\n",
		"GET\r\n\r\n",
		"GET /small\r\n\r\n",
		"GET /small HTTP/9.9\r\n\r\n",
		"\x16\x03\x01\x02\x01\x01\r\n\r\n",
		"GET small HTTP/1.1\r\nhost: localhost\r\n\r\n",
		"POST /small HTTP/1.1\r\nhost: localhost\r\ncontent-length: -5\r\n\r\n",
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(requests); i++) {
		HP_AUTO_FD int fd = client_connect(fixture->port);
		struct reply reply;
		int r;

		assert_true(fd >= 0);
		assert_int_equal(client_send(fd, requests[i]), 0);
		/* Closing without a word is fine; an answer is JSON as all others. */
		r = client_read(fd, false, &reply);
		assert_true(r == 0 || r == -ECONNRESET);
		if (r == 0) {
			if (reply.status < 400 || reply.status >= 600 ||
			    !reply_has(&reply, "Content-Type: application/json"))
				print_error("request %zu: %d\n%s\n", i, reply.status, reply.head);
			assert_in_range(reply.status, 400, 599);
			assert_true(reply_has(&reply, "Content-Type: application/json"));
			reply_reset(&reply);
		}
		check_ok(fixture);
	}
}

static void test_huge_request_line(void **state)
{
	struct fixture *fixture = *state;
	static char request[64 << 10];
	HP_AUTO_FD int fd = client_connect(fixture->port);
	struct reply reply;
	int r;

	memset(request, 'a', sizeof(request) - 1);
	memcpy(request, "GET /", 5);
	client_send(fd, request); /* the server may hang up before the end */
	r = client_read(fd, false, &reply);
	assert_true(r == 0 || r == -ECONNRESET);
	if (r == 0) {
		assert_true(reply_has(&reply, "Content-Type: application/json"));
		assert_in_range(reply.status, 400, 599);
		reply_reset(&reply);
	}
	check_ok(fixture);
}

static void *meet(void *arg)
{
	const struct fixture *fixture = arg;
	struct reply reply;
	bool good = client_get(fixture->port, "/meet", &reply) == 0 && reply.status == 200;

	reply_reset(&reply);
	return good ? arg : NULL;
}

static void test_concurrent_clients(void **state)
{
	struct fixture *fixture = *state;
	pthread_t threads[CLIENTS];
	unsigned good = 0;

	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, meet, fixture), 0);
	for (int i = 0; i < CLIENTS; i++) {
		void *result;

		pthread_join(threads[i], &result);
		good += result != NULL;
	}
	assert_int_equal(good, CLIENTS);
}

static void silence(int ret_saved[2], int file)
{
	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		ret_saved[i] = dup(i + 1);
		dup2(file, i + 1);
	}
}

static void unsilence(const int saved[2])
{
	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		dup2(saved[i], i + 1);
		close(saved[i]);
	}
}

static void test_prints_nothing_and_leaves_signals(void **state)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGUSR1};
	struct sigaction before[HP_ARRAY_SIZE(signals)], after;
	HP_AUTO_FILE FILE *file = tmpfile();
	struct stat st;
	int saved[2];
	int good = 0;

	for (size_t i = 0; i < HP_ARRAY_SIZE(signals); i++)
		sigaction(signals[i], NULL, &before[i]);
	silence(saved, fileno(file));
	for (int i = 0; i < 2; i++) {
		void *fixture = NULL;
		struct reply reply;

		setup(&fixture);
		good += client_get(((struct fixture *)fixture)->port, "/no", &reply) == 0;
		reply_reset(&reply);
		teardown(&fixture);
	}
	unsilence(saved);
	assert_int_equal(good, 2);
	assert_int_equal(fstat(fileno(file), &st), 0);
	assert_int_equal(st.st_size, 0);
	for (size_t i = 0; i < HP_ARRAY_SIZE(signals); i++) {
		sigaction(signals[i], NULL, &after);
		assert_ptr_equal(after.sa_handler, before[i].sa_handler);
	}
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(test_headers),
		WITH_SERVER(test_too_busy),
		WITH_SERVER(test_raw_path),
		WITH_SERVER(test_query_and_method_reach_the_handler),
		WITH_SERVER(test_host_and_origin_are_checked),
		WITH_SERVER(test_keep_alive),
		WITH_SERVER(test_head_has_no_body),
		WITH_SERVER(test_big_body),
		WITH_SERVER(test_body_of_a_request),
		WITH_SERVER(test_client_resets),
		WITH_SERVER(test_malformed),
		WITH_SERVER(test_huge_request_line),
		WITH_SERVER(test_concurrent_clients),
		cmocka_unit_test(test_prints_nothing_and_leaves_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
