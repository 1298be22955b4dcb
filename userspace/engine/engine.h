#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "engine/domain.h"
#include "engine/status.h"

struct hp_core;
struct hp_family;
struct hp_mailbox;
struct hp_modcache;
struct hp_registry;
struct hp_settings;
struct hp_snapshot;
struct hp_target;

/*
 * The loop that owns all metric state. One thread, the one that calls hp_engine_run(), reads the rings,
 * runs letters and timers, and is the only one to touch domain state; HTTP workers ask it through
 * hp_engine_query() and get immutable snapshots. It never attaches, parses or symbolises: that happens on
 * the domains' own threads, which report through the mailbox.
 */
struct hp_engine;

struct hp_engine_config {
	struct hp_target *target;                   /* borrowed */
	const struct hp_settings *settings;         /* borrowed */
	const struct hp_domain_ops *const *domains; /* HP_NDOMAINS */
	bool enabled[HP_NDOMAINS];
	uint64_t duration_ns; /* 0 = no limit */
	int signal_fd;        /* signalfd of the stopping signals, borrowed; -1 = none */
};

/* Opens rings and counters; 0 or negative errno with the sentence. */
int hp_engine_new(const struct hp_engine_config *config, struct hp_engine **ret_engine,
		  struct hp_err *err);
void hp_engine_free(struct hp_engine *engine); /* closes the domains */
HP_DEFINE_AUTO(hp_engine)

/* Opens the enabled domains. One that fails is reported in the status and skipped. 0, or -ENODEV: none works. */
int hp_engine_open(struct hp_engine *engine, struct hp_err *err);

/* Why the loop ended. */
enum hp_engine_end { HP_END_EXITED, HP_END_SIGNAL, HP_END_DURATION };

/* Runs until the target exits, a signal comes or the time is up; then detaches and drains. */
enum hp_engine_end hp_engine_run(struct hp_engine *engine);

/*
 * Both from any thread, the engine's own included; elsewhere they wait for the engine, at most 250 ms. 0,
 * -ENOENT (unknown id), -ENODEV (domain off), -ETIMEDOUT (the engine is busy or has ended).
 */
int hp_engine_query(struct hp_engine *engine, enum hp_domain_id domain,
		    const struct hp_query *query, const char *method, int *ret_status,
		    struct hp_snapshot **ret_snapshot);
int hp_engine_status(struct hp_engine *engine, struct hp_engine_status *ret_status);

/* For domains. */
const struct hp_family *hp_engine_family(const struct hp_engine *engine); /* NULL: not known */
struct hp_core *hp_engine_core(const struct hp_engine *engine);
struct hp_mailbox *hp_engine_mailbox(const struct hp_engine *engine);
struct hp_modcache *hp_engine_modules(const struct hp_engine *engine);
struct hp_registry *hp_engine_registry(const struct hp_engine *engine);
const struct hp_settings *hp_engine_settings(const struct hp_engine *engine);
struct hp_target *hp_engine_target(const struct hp_engine *engine);
uint64_t hp_engine_start_ns(const struct hp_engine *engine);
/* State, NULL = off. */
void *hp_engine_domain(const struct hp_engine *engine, enum hp_domain_id domain);
/* Has @observe see the records of @domain; NULL ends it. One at a time may. Engine thread. */
void hp_engine_observe(struct hp_engine *engine, enum hp_domain_id domain, hp_observe_fn observe,
		       void *arg);
/* What was in the rings at this time has been handed to the domains. Engine thread. */
uint64_t hp_engine_caught_up_ns(const struct hp_engine *engine);
