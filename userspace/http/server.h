#pragma once

#include <stdint.h>

#include "base/cleanup.h"

struct hp_err;
struct hp_router;

/*
 * HTTP/1.1 server on civetweb's worker threads; the only file that sees civetweb. Every answer has
 * Content-Length, "Content-Type: application/json" (or the route's) and "Cache-Control: no-store", a 429 or 503 "Retry-After", a compressed one its encoding; keep-alive is on; an idle or half-sent connection does not
 * block others (limits and time-outs are in server.c with their reasons). SIGPIPE is not raised.
 */
struct hp_server;

/*
 * Listens on @listen:@port (@port 0 = any free port). @router is borrowed and must outlive the server.
 * 0, -EADDRINUSE, -EACCES, -EINVAL (bad address); sentence in *@err.
 */
int hp_server_start(const char *listen, uint16_t port, const struct hp_router *router,
		    struct hp_server **ret_server, struct hp_err *err);
uint16_t hp_server_port(const struct hp_server *server);
/* Running requests are answered first, if that takes no more than 5 s; then it stops listening. */
void hp_server_free(struct hp_server *server);
HP_DEFINE_AUTO(hp_server)
