#pragma once

/*
 * An HTTP client for the tests that can also be slow or rude. Every wait has a limit, and none sleeps. Included
 * by one test program each, hence the definitions in a header.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define CLIENT_LIMIT_MS 5000
#define CLIENT_UNUSED   __attribute__((unused))

struct reply {
	int status;
	char head[4096]; /* with the status line, NUL-terminated */
	char *body;      /* NUL-terminated */
	size_t len;
};

CLIENT_UNUSED static void reply_reset(struct reply *reply)
{
	free(reply->body);
	*reply = (struct reply){0};
}

/* True if a header line begins with @text; the case of letters does not count. */
CLIENT_UNUSED static bool reply_has(const struct reply *reply, const char *text)
{
	const char *line = reply->head;

	while ((line = strstr(line, "\r\n"))) {
		line += 2;
		if (strncasecmp(line, text, strlen(text)) == 0)
			return true;
	}
	return false;
}

CLIENT_UNUSED static int client_connect(uint16_t port)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	HP_AUTO_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return HP_TAKE_FD(fd);
}

CLIENT_UNUSED static int client_send(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t n = send(fd, text, left, MSG_NOSIGNAL);

		if (n < 0)
			return -errno;
		text += n;
		left -= (size_t)n;
	}
	return 0;
}

static int wait_until(int fd, uint64_t end_ns)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	uint64_t now = hp_clock_mono_ns();

	if (now >= end_ns || poll(&pollfd, 1, (int)((end_ns - now) / 1000000) + 1) <= 0)
		return -ETIMEDOUT;
	return 0;
}

/* Until there is something to read, or the other side hung up. */
CLIENT_UNUSED static int client_wait(int fd)
{
	return wait_until(fd, hp_clock_mono_ns() + CLIENT_LIMIT_MS * UINT64_C(1000000));
}

/* Closes with RST, as a client that was killed. */
CLIENT_UNUSED static void client_reset(int fd)
{
	const struct linger linger = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

static int read_exact(int fd, char *buf, size_t len, uint64_t end_ns)
{
	while (len) {
		ssize_t n;

		if (wait_until(fd, end_ns) < 0)
			return -ETIMEDOUT;
		n = recv(fd, buf, len, 0);
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

/*
 * One answer, and not a byte more, so that the next read finds the next answer. @no_body: the answer to a HEAD.
 * Only Content-Length is understood, which server.h promises. 0 or negative errno (-ECONNRESET: closed).
 */
CLIENT_UNUSED static int client_read(int fd, bool no_body, struct reply *ret_reply)
{
	uint64_t end_ns = hp_clock_mono_ns() + CLIENT_LIMIT_MS * UINT64_C(1000000);
	struct reply reply = {0};
	const char *length;
	size_t n = 0;
	int r;

	*ret_reply = reply;
	while (n < 4 || memcmp(reply.head + n - 4, "\r\n\r\n", 4) != 0) {
		if (n == sizeof(reply.head) - 1)
			return -EMSGSIZE;
		r = read_exact(fd, reply.head + n, 1, end_ns);
		if (r < 0)
			return r;
		n++;
	}
	if (sscanf(reply.head, "HTTP/1.%*c %d", &reply.status) != 1)
		return -EPROTO;
	length = strcasestr(reply.head, "\r\ncontent-length:");
	if (!length)
		return -EPROTO;
	reply.len = no_body ? 0 : strtoul(length + 17, NULL, 10);
	reply.body = calloc(1, reply.len + 1);
	if (!reply.body)
		return -ENOMEM;
	r = read_exact(fd, reply.body, reply.len, end_ns);
	if (r < 0) {
		free(reply.body);
		return r;
	}
	*ret_reply = reply;
	return 0;
}

/* A new connection for one request. */
CLIENT_UNUSED static int client_get(uint16_t port, const char *path, struct reply *ret_reply)
{
	HP_AUTO_FD int fd = client_connect(port);
	char request[256];
	int r;

	*ret_reply = (struct reply){0};
	if (fd < 0)
		return fd;
	snprintf(request, sizeof(request),
		 "GET %s HTTP/1.1\r\nhost: localhost:%u\r\naccept: */*\r\n\r\n", path, port);
	r = client_send(fd, request);
	return r < 0 ? r : client_read(fd, false, ret_reply);
}
