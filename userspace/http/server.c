#include "http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <civetweb.h>

#include "base/err.h"
#include "base/log.h"
#include "http/router.h"

/*
 * civetweb gives each connection a worker thread for as long as it is open, so what holds connections
 * must not hold all threads: many threads (they sleep; a stack page or two each) and short patience.
 * The console sends a request every 500 ms, so 2 s of silence between two is no loss, and 2 s for a
 * request's head is plenty on loopback.
 */
#define THREADS     "64"
#define PATIENCE_MS "2000"
/* For requests that run when the daemon stops: recordings end at once then, but must be written and sent. */
#define LAST_ANSWERS_SEC 5

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct hp_server {
	struct mg_context *context;
	const struct hp_router *router;
	union address address;
	uint16_t port;
	atomic_bool stopped;

	pthread_mutex_t lock;
	pthread_cond_t idle; /* CLOCK_MONOTONIC */
	unsigned running;    /* requests, under lock */
};

static void begin_request(struct hp_server *server)
{
	pthread_mutex_lock(&server->lock);
	server->running++;
	pthread_mutex_unlock(&server->lock);
}

static void end_request(struct hp_server *server)
{
	pthread_mutex_lock(&server->lock);
	if (--server->running == 0)
		pthread_cond_broadcast(&server->idle);
	pthread_mutex_unlock(&server->lock);
}

/* civetweb sends nothing any more once it is told to stop, so what is being answered comes first. */
static void await_answers(struct hp_server *server)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LAST_ANSWERS_SEC;
	pthread_mutex_lock(&server->lock);
	while (server->running &&
	       pthread_cond_timedwait(&server->idle, &server->lock, &until) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&server->lock);
}

static void send_response(struct mg_connection *connection, const struct hp_response *response,
			  bool head, bool keep)
{
	/* What makes an answer fail so (a busy moment, or the end of the daemon) is over in a second; recordings take longer. */
	const char *retry = response->status == 503   ? "Retry-After: 1\r\n"
			    : response->status == 429 ? "Retry-After: 5\r\n"
						      : "";
	const char *encoding =
		response->gzip ? "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n" : "";

	mg_printf(
		connection,
		"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
		"%s%sConnection: %s\r\n\r\n",
		response->status, mg_get_response_code_text(connection, response->status),
		response->content_type, response->len, retry, encoding,
		keep ? "keep-alive" : "close");
	if (!head && response->len)
		mg_write(connection, response->body, response->len);
}

static int on_request(struct mg_connection *connection)
{
	const struct mg_request_info *info = mg_get_request_info(connection);
	struct hp_server *server = mg_get_user_data(mg_get_context(connection));
	const struct hp_request request = {
		.method = info->request_method,
		.path = info->request_uri,
		.query = info->query_string,
		.host = mg_get_header(connection, "Host"),
		.origin = mg_get_header(connection, "Origin"),
		.authorization = mg_get_header(connection, "Authorization"),
		.accept_encoding = mg_get_header(connection, "Accept-Encoding"),
	};
	struct hp_response response = {0};
	int status;

	begin_request(server);
	hp_router_handle(server->router, &request, &response);
	status = response.status;
	send_response(connection, &response, strcmp(request.method, "HEAD") == 0, true);
	end_request(server);
	hp_response_reset(&response);
	return status;
}

/* Requests that civetweb refuses by itself (malformed, too large) are answered in our form, too. */
static int on_error(struct mg_connection *connection, int status, const char *text)
{
	struct hp_response response = {0};

	hp_response_error(&response, status, text && *text ? text : "bad request");
	send_response(connection, &response, false, false);
	hp_response_reset(&response);
	return 0;
}

static int on_log(const struct mg_connection *connection, const char *text)
{
	hp_log(HP_LOG_DEBUG, "http", "%s", text);
	return 1;
}

/* "127.0.0.1", "::1" or "[::1]". */
static int parse_address(const char *listen, uint16_t port, union address *ret_address,
			 struct hp_err *err)
{
	union address address = {0};
	char text[INET6_ADDRSTRLEN];
	size_t len = strlen(listen);

	if (inet_pton(AF_INET, listen, &address.v4.sin_addr) == 1) {
		address.v4.sin_family = AF_INET;
		address.v4.sin_port = htons(port);
		*ret_address = address;
		return 0;
	}
	if (len > 2 && len < sizeof(text) && listen[0] == '[' && listen[len - 1] == ']')
		snprintf(text, sizeof(text), "%.*s", (int)len - 2, listen + 1);
	else
		snprintf(text, sizeof(text), "%s", listen);
	if (inet_pton(AF_INET6, text, &address.v6.sin6_addr) != 1)
		return hp_err_set(err, -EINVAL, "'%s' is no IP address to listen on: use 127.0.0.1",
				  listen);
	address.v6.sin6_family = AF_INET6;
	address.v6.sin6_port = htons(port);
	*ret_address = address;
	return 0;
}

static socklen_t length_of(const union address *address)
{
	return address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
}

/* civetweb does not say why it cannot listen, so the kernel is asked first. */
static int try_bind(const union address *address, const char *listen_on, uint16_t port,
		    struct hp_err *err)
{
	HP_AUTO_FD int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int one = 1;
	int code;

	if (fd < 0)
		return hp_err_set(err, -errno, "cannot make a socket: %s", hp_err_name(-errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &address->any, length_of(address)) == 0 && listen(fd, 1) == 0)
		return 0;
	code = -errno;
	if (code == -EADDRINUSE)
		return hp_err_set(
			err, code,
			"port %u is in use on %s: choose another with --port, or stop the program "
			"that holds it",
			port, listen_on);
	return hp_err_set(err, code, "cannot listen on port %u of %s: %s", port, listen_on,
			  hp_err_name(code));
}

static int start(struct hp_server *server, const char *address, uint16_t port, struct hp_err *err)
{
	const struct mg_callbacks callbacks = {
		.begin_request = on_request,
		.http_error = on_error,
		.log_message = on_log,
	};
	char where[96];
	const char *const options[] = {
		"listening_ports",
		where,
		"num_threads",
		THREADS,
		"enable_keep_alive",
		"yes",
		"keep_alive_timeout_ms",
		PATIENCE_MS,
		"request_timeout_ms",
		PATIENCE_MS,
		"tcp_nodelay",
		"1",
		"decode_url",
		"no", /* the contract matches paths by their bytes */
		NULL,
	};
	struct mg_server_port ports[1];

	snprintf(where, sizeof(where), "%s:%u", address, port);
	server->context = mg_start(&callbacks, server, (const char **)options);
	if (!server->context)
		return hp_err_set(err, -EADDRINUSE, "cannot serve on %s: is port %u in use?",
				  address, port);
	server->port = mg_get_server_ports(server->context, 1, ports) == 1 ? (uint16_t)ports[0].port
									   : port;
	return 0;
}

int hp_server_start(const char *listen, uint16_t port, const struct hp_router *router,
		    struct hp_server **ret_server, struct hp_err *err)
{
	HP_AUTO(hp_server) struct hp_server *server = NULL;
	pthread_condattr_t attr;
	union address address;
	int r = parse_address(listen, port, &address, err);

	if (r == 0)
		r = try_bind(&address, listen, port, err);
	if (r < 0)
		return r;
	if (address.any.sa_family == AF_INET6 && !mg_check_feature(MG_FEATURES_IPV6))
		return hp_err_set(
			err, -EINVAL,
			"the HTTP library of this build has no IPv6: use --listen 127.0.0.1");
	server = calloc(1, sizeof(*server));
	if (!server)
		return hp_err_set(err, -ENOMEM, "out of memory");
	pthread_mutex_init(&server->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&server->idle, &attr);
	pthread_condattr_destroy(&attr);
	server->router = router;
	server->address = address;
	r = start(server, listen, port, err);
	if (r < 0)
		return r;
	*ret_server = HP_TAKE_PTR(server);
	return 0;
}

uint16_t hp_server_port(const struct hp_server *server)
{
	return server->port;
}

static void *stop(void *arg)
{
	struct hp_server *server = arg;

	mg_stop(server->context);
	atomic_store(&server->stopped, true);
	return NULL;
}

/* A connection that says nothing and goes. */
static void knock(const struct hp_server *server)
{
	HP_AUTO_FD int fd = socket(server->address.any.sa_family,
				   SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	union address address = server->address;

	if (address.any.sa_family == AF_INET)
		address.v4.sin_port = htons(server->port);
	else
		address.v6.sin6_port = htons(server->port);
	if (fd >= 0 && connect(fd, &address.any, length_of(&address)) < 0 && errno != EINPROGRESS)
		hp_log(HP_LOG_DEBUG, "http", "knock: %s", hp_err_name(-errno));
}

/*
 * civetweb looks at its stop flag only when its listener's poll returns, up to 2 s later. Knocking makes it
 * return at once; the flag is set by mg_stop(), which waits, so that runs beside us.
 */
static void stop_promptly(struct hp_server *server)
{
	const struct timespec pause = {.tv_nsec = 5000000};
	pthread_t thread;

	if (pthread_create(&thread, NULL, stop, server)) {
		mg_stop(server->context);
		return;
	}
	while (!atomic_load(&server->stopped)) {
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		knock(server);
	}
	pthread_join(thread, NULL);
}

void hp_server_free(struct hp_server *server)
{
	if (!server)
		return;
	if (server->context) {
		await_answers(server);
		stop_promptly(server);
	}
	pthread_cond_destroy(&server->idle);
	pthread_mutex_destroy(&server->lock);
	free(server);
}
