/* Debug files by build-id from a server of the test's own: what comes, what does not, and that nobody waits for long. */
#include "target/debuginfod.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

#define HERE    "00112233445566778899aabbccddeeff00112233"
#define NOWHERE "ffeeddccbbaa99887766554433221100ffeeddcc"
#define STALLED "5555555555555555555555555555555555555555"
#define CONTENT "the debug file"

struct server {
	int listener, stalled;
	pthread_t thread;
	unsigned requests;
	char folder[64];
};

static struct server server;

/* Answers one request; a stalled one stays open until release(). */
static void answer(int fd)
{
	char request[4096] = "";
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(request) - 1 && !strstr(request, "\r\n\r\n") &&
	       (n = read(fd, request + len, sizeof(request) - 1 - len)) > 0)
		len += (size_t)n;
	__atomic_fetch_add(&server.requests, 1, __ATOMIC_SEQ_CST);
	if (strstr(request, "GET /buildid/" STALLED "/debuginfo ")) {
		server.stalled = fd;
		return;
	}
	if (strstr(request, "GET /buildid/" HERE "/debuginfo "))
		dprintf(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
			strlen(CONTENT), CONTENT);
	else
		dprintf(fd,
			"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
	close(fd);
}

static void *serve(void *arg)
{
	int fd;

	while ((fd = accept(server.listener, NULL, NULL)) >= 0)
		answer(fd);
	return arg;
}

static void release(void)
{
	dprintf(server.stalled,
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nlate");
	close(server.stalled);
	server.stalled = -1;
}

/* What the library would write itself at first use, leaking a buffer of glibc's dprintf(). */
static void write_config(const char *name, const char *value)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", server.folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(value, file);
	fclose(file);
}

static int setup(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	char url[64];

	server = (struct server){.stalled = -1};
	snprintf(server.folder, sizeof(server.folder), "/tmp/test_debuginfod_XXXXXX");
	assert_non_null(mkdtemp(server.folder));
	write_config("cache_clean_interval_s", "86400");
	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(server.listener, 8), 0);
	getsockname(server.listener, (struct sockaddr *)&address, &size);
	assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", ntohs(address.sin_port));
	setenv("DEBUGINFOD_URLS", url, 1);
	setenv("DEBUGINFOD_CACHE_PATH", server.folder, 1);
	setenv("no_proxy", "*", 1);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	shutdown(server.listener, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.listener);
	if (server.stalled >= 0)
		close(server.stalled);
	snprintf(command, sizeof(command), "rm -rf %s", server.folder);
	assert_int_equal(system(command), 0);
	unsetenv("DEBUGINFOD_URLS");
	return 0;
}

static void need_library(void)
{
	if (!dlopen("libdebuginfod.so.1", RTLD_NOW)) {
		print_message("needs libdebuginfod.so.1\n");
		skip();
	}
}

static struct hp_debuginfod *make(void)
{
	struct hp_debuginfod *debuginfod = NULL;

	assert_int_equal(hp_debuginfod_new(&debuginfod), 0);
	assert_non_null(debuginfod);
	return debuginfod;
}

/* Until it is no longer on its way. */
static int get(struct hp_debuginfod *debuginfod, const char *build_id, char path[4096])
{
	uint64_t end = hp_clock_mono_ns() + 20000000000ull;
	int r;

	do
		r = hp_debuginfod_open(debuginfod, build_id, path, 4096);
	while (r == -EAGAIN && hp_clock_mono_ns() < end);
	return r;
}

static void assert_explained(struct hp_debuginfod *debuginfod, const char *part)
{
	char text[320];

	hp_debuginfod_explain(debuginfod, text, sizeof(text));
	if (!strstr(text, part))
		fail_msg("no \"%s\" in \"%s\"", part, text);
}

static void test_comes_or_not(void **state)
{
	HP_AUTO(hp_debuginfod) struct hp_debuginfod *debuginfod = NULL;
	char path[4096], content[64] = "", text[320] = "?";
	unsigned requests;
	int fd;

	need_library();
	debuginfod = make();
	hp_debuginfod_explain(debuginfod, text, sizeof(text));
	assert_string_equal(text, "");
	fd = get(debuginfod, HERE, path);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, content, sizeof(content) - 1), strlen(CONTENT));
	assert_string_equal(content, CONTENT);
	assert_int_equal(strncmp(path, server.folder, strlen(server.folder)), 0);
	close(fd);
	assert_int_equal(get(debuginfod, NOWHERE, path), -ENOENT);
	assert_int_equal(hp_debuginfod_came(debuginfod), 1);
	assert_explained(debuginfod,
			 "of 2 stripped modules were asked for (DEBUGINFOD_URLS): 1 came, "
			 "1 are not there, 0 could not be had, 0 are on their way");
	/* Each is asked for once. */
	requests = server.requests;
	fd = get(debuginfod, HERE, path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(get(debuginfod, NOWHERE, path), -ENOENT);
	assert_int_equal(server.requests, requests);
}

/* Nobody answers: all waiting together ends within its second, and the file is used when it comes. */
static void test_nobody_waits(void **state)
{
	HP_AUTO(hp_debuginfod) struct hp_debuginfod *debuginfod = NULL;
	uint64_t start = hp_clock_mono_ns();
	char path[4096];
	int fd;

	need_library();
	debuginfod = make();
	assert_int_equal(hp_debuginfod_open(debuginfod, STALLED, path, sizeof(path)), -EAGAIN);
	assert_int_equal(hp_debuginfod_open(debuginfod, HERE, path, sizeof(path)), -EAGAIN);
	assert_int_equal(hp_debuginfod_open(debuginfod, STALLED, path, sizeof(path)), -EAGAIN);
	assert_true(hp_clock_mono_ns() - start < 3000000000ull); /* 0.7 s, on a busy machine */
	assert_explained(debuginfod, "2 are on their way");
	while (__atomic_load_n(&server.stalled, __ATOMIC_SEQ_CST) < 0)
		assert_true(hp_clock_mono_ns() - start < 20000000000ull);
	release();
	fd = get(debuginfod, STALLED, path);
	assert_true(fd >= 0);
	close(fd);
	fd = get(debuginfod, HERE, path);
	assert_true(fd >= 0);
	close(fd);
	assert_explained(debuginfod,
			 "2 came, 0 are not there, 0 could not be had, 0 are on their way; "
			 "2 came late");
}

static void test_ends_while_it_waits(void **state)
{
	struct hp_debuginfod *debuginfod;
	uint64_t start;
	char path[4096];

	need_library();
	debuginfod = make();
	assert_int_equal(hp_debuginfod_open(debuginfod, STALLED, path, sizeof(path)), -EAGAIN);
	start = hp_clock_mono_ns();
	hp_debuginfod_free(debuginfod);
	assert_true(hp_clock_mono_ns() - start < 6000000000ull);
}

/* They become part of a path and of an address. */
static void test_foreign_ids(void **state)
{
	HP_AUTO(hp_debuginfod) struct hp_debuginfod *debuginfod = make();
	static const char *const ids[] = {
		"",
		"0011",
		"../../../../etc",
		"00112233445566778899aabbccddeeff001122/..",
		"0011223344 ",
		"00112233AABBCCDD",
		"001122334",
		"0000000000000000000000000000000000000000000000000000000000000000000000"};
	char path[4096], text[320];

	for (size_t i = 0; i < HP_ARRAY_SIZE(ids); i++)
		assert_int_equal(hp_debuginfod_open(debuginfod, ids[i], path, sizeof(path)),
				 -EINVAL);
	hp_debuginfod_explain(debuginfod, text, sizeof(text));
	assert_string_equal(text, "");
	assert_int_equal(server.requests, 0);
}

static void test_not_configured(void **state)
{
	struct hp_debuginfod *debuginfod = (struct hp_debuginfod *)16;
	char text[320] = "?";

	unsetenv("DEBUGINFOD_URLS");
	assert_int_equal(hp_debuginfod_new(&debuginfod), 0);
	assert_null(debuginfod);
	setenv("DEBUGINFOD_URLS", "", 1);
	assert_int_equal(hp_debuginfod_new(&debuginfod), 0);
	assert_null(debuginfod);
	hp_debuginfod_explain(NULL, text, sizeof(text));
	assert_string_equal(text, "");
	hp_debuginfod_free(NULL);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(test_comes_or_not),        WITH_SERVER(test_nobody_waits),
		WITH_SERVER(test_ends_while_it_waits), WITH_SERVER(test_foreign_ids),
		WITH_SERVER(test_not_configured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
