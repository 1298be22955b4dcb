#include "engine/engine.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "engine/core.h"
#include "engine/family.h"
#include "engine/mailbox.h"
#include "engine/request.h"
#include "engine/settings.h"
#include "engine/snapshot.h"
#include "engine/status.h"
#include "engine/unwinder.h"
#include "probe/registry.h"
#include "target/modcache.h"
#include "target/target.h"

/*
 * Polling the rings costs about 2 us when they are empty, so the pace follows their filling: a ring of
 * 256 KiB holds 6,500 calls, 2 ms of the fastest producer that we measured.
 */
#define POLL_SLOW_MS    20
#define POLL_FAST_MS    1
#define POLL_FAST_FROM  12 /* percent of a ring found in use */
#define CONSUME_AT_ONCE 200000
/* Letters wait for so long, which clients bear for 250 ms; a slow machine does not read that many in it. */
#define CONSUME_NS 20000000ull

struct hp_engine {
	struct hp_engine_config config;
	struct hp_core *core;
	struct hp_family *family; /* NULL: the kernel refuses, for the reason in family_off */
	char family_off[320];
	struct hp_program_change change;
	struct hp_registry *registry;
	struct hp_modcache *modules;
	struct hp_mailbox *mailbox;
	struct hp_unwinder *unwinder; /* NULL: no domain takes stacks, or refused */
	struct hp_slot slots[HP_NDOMAINS];
	enum hp_engine_state state;
	pthread_t thread;
	atomic_bool running;
	int epoll_fd;
	uint64_t start_ns, next_collect_ns, caught_up_ns;
	uint64_t consumed, unusable;
	int poll_ms;
	bool opened;
};

int hp_engine_new(const struct hp_engine_config *config, struct hp_engine **ret_engine,
		  struct hp_err *err)
{
	HP_AUTO(hp_engine) struct hp_engine *engine = calloc(1, sizeof(*engine));
	int r;

	if (!engine)
		return hp_err_set(err, -ENOMEM, "out of memory");
	engine->config = *config;
	engine->thread = pthread_self();
	engine->start_ns = hp_clock_mono_ns();
	engine->poll_ms = POLL_SLOW_MS;
	engine->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (engine->epoll_fd < 0)
		return hp_err_set(err, -errno, "cannot create an epoll descriptor: %s",
				  hp_err_name(-errno));
	r = hp_mailbox_new(&engine->mailbox);
	if (r == 0)
		r = hp_registry_new(&engine->registry);
	if (r == 0)
		r = hp_modcache_new(&engine->modules);
	if (r < 0)
		return hp_err_set(err, r, "cannot start the engine: %s", hp_err_name(r));
	r = hp_core_open(hp_target_pid(config->target), config->settings->follow_forks,
			 config->settings->ring_bytes, &engine->core, err);
	if (r < 0)
		return r;
	for (int i = 0; i < HP_NDOMAINS; i++)
		engine->slots[i].ops = config->domains[i];
	*ret_engine = HP_TAKE_PTR(engine);
	return 0;
}

void hp_engine_free(struct hp_engine *engine)
{
	if (!engine)
		return;
	for (int i = HP_NDOMAINS - 1; i >= 0; i--) {
		if (engine->slots[i].state)
			engine->slots[i].ops->close(engine->slots[i].state);
	}
	hp_unwinder_free(engine->unwinder);
	hp_mailbox_free(engine->mailbox);
	hp_family_free(engine->family);
	hp_core_free(engine->core);
	hp_modcache_free(engine->modules);
	hp_registry_free(engine->registry);
	if (engine->epoll_fd >= 0)
		close(engine->epoll_fd);
	free(engine);
}

int hp_engine_open(struct hp_engine *engine, struct hp_err *err)
{
	unsigned working = 0;
	struct hp_err no_family = {0};

	if (hp_family_open(engine->core, &engine->family, &no_family) < 0) {
		snprintf(engine->family_off, sizeof(engine->family_off), "%s", no_family.text);
		hp_log(HP_LOG_WARN, "engine", "%s", no_family.text);
	}
	for (int i = 0; i < HP_NDOMAINS; i++) {
		struct hp_slot *slot = &engine->slots[i];
		struct hp_err why = {0};

		if (!engine->config.enabled[i]) {
			snprintf(slot->off, sizeof(slot->off), "%s",
				 slot->ops->only_if_named ? "off unless --domains names it"
							  : "switched off by --domains");
			continue;
		}
		if (slot->ops->open(engine, &slot->state, &why) < 0) {
			slot->state = NULL;
			snprintf(slot->off, sizeof(slot->off), "%s", why.text);
			hp_log(HP_LOG_WARN, slot->ops->name, "unavailable: %s", why.text);
			*err = why;
			continue;
		}
		working++;
		if (slot->ops->stacks && !engine->unwinder &&
		    hp_unwinder_start(engine, &engine->unwinder, &why) < 0)
			hp_log(HP_LOG_WARN, "engine", "%s", why.text);
	}
	engine->opened = true;
	return working ? 0 : -ENODEV;
}

static void on_record(void *arg, const void *record, size_t size)
{
	struct hp_engine *engine = arg;

	engine->consumed++;
	if (!hp_slots_deliver(engine->slots, record, size))
		engine->unusable++;
}

static size_t read_rings(struct hp_engine *engine)
{
	uint64_t began_ns = hp_clock_mono_ns();
	unsigned filled = 0;
	size_t n = hp_core_consume(engine->core, CONSUME_AT_ONCE, CONSUME_NS, on_record, engine,
				   &filled);

	if (n < CONSUME_AT_ONCE && filled < 100) /* all rings to their ends */
		engine->caught_up_ns = began_ns;
	engine->poll_ms = filled >= POLL_FAST_FROM             ? POLL_FAST_MS
			  : engine->poll_ms * 2 > POLL_SLOW_MS ? POLL_SLOW_MS
							       : engine->poll_ms * 2;
	return n;
}

static bool is_attaching(const struct hp_engine *engine)
{
	for (int i = 0; i < HP_NDOMAINS; i++) {
		struct hp_resources resources = {0};

		if (engine->slots[i].state)
			engine->slots[i].ops->resources(engine->slots[i].state, &resources);
		if (resources.attaching)
			return true;
	}
	return false;
}

static void collect(struct hp_engine *engine)
{
	uint64_t now = hp_clock_mono_ns();

	if (now < engine->next_collect_ns)
		return;
	engine->next_collect_ns = now + HP_COLLECT_NS;
	/* The domains find out by themselves; this is for the status. */
	if (hp_program_change_note(&engine->change, engine->family, engine->config.target) &&
	    engine->state == HP_STATE_READY)
		engine->state = HP_STATE_ATTACHING;
	for (int i = 0; i < HP_NDOMAINS; i++) {
		if (engine->slots[i].state)
			engine->slots[i].ops->collect(engine->slots[i].state, now);
	}
	/* Not asked again: it reads files in /proc, and nothing but an exec leads back to attaching. */
	if (engine->state == HP_STATE_ATTACHING && !is_attaching(engine))
		engine->state = HP_STATE_READY;
}

static int watch(struct hp_engine *engine, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return fd < 0 ? 0 : epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

/* Waits for the next thing to do. True: the loop ends, *@ret_end says why. */
static bool wait_once(struct hp_engine *engine, uint64_t deadline_ns, enum hp_engine_end *ret_end)
{
	int pidfd = hp_target_pidfd(engine->config.target);
	struct epoll_event events[4];
	int n = epoll_wait(engine->epoll_fd, events, HP_ARRAY_SIZE(events), engine->poll_ms);

	for (int i = 0; i < n; i++) {
		if (events[i].data.fd == engine->config.signal_fd) {
			struct signalfd_siginfo info;

			if (read(engine->config.signal_fd, &info, sizeof(info)) == sizeof(info)) {
				*ret_end = HP_END_SIGNAL;
				return true;
			}
		} else if (events[i].data.fd == pidfd) {
			engine->state = HP_STATE_EXITED;
			*ret_end = HP_END_EXITED;
			return true;
		} else {
			hp_mailbox_run(engine->mailbox);
		}
	}
	if (deadline_ns && hp_clock_mono_ns() >= deadline_ns) {
		*ret_end = HP_END_DURATION;
		return true;
	}
	return false;
}

/* Detach, then drain: the last records are not lost. */
static void stop(struct hp_engine *engine)
{
	for (int i = 0; i < HP_NDOMAINS; i++) {
		if (engine->slots[i].state)
			engine->slots[i].ops->stop(engine->slots[i].state);
	}
	while (read_rings(engine) > 0)
		;
	hp_mailbox_run(engine->mailbox);
	for (int i = 0; i < HP_NDOMAINS; i++) {
		if (engine->slots[i].state)
			engine->slots[i].ops->finish(engine->slots[i].state);
	}
	hp_mailbox_run(engine->mailbox); /* what the domains' threads sent while they ended */
}

enum hp_engine_end hp_engine_run(struct hp_engine *engine)
{
	uint64_t deadline_ns = 0;
	enum hp_engine_end end = HP_END_SIGNAL;

	if (engine->config.duration_ns)
		deadline_ns = hp_clock_mono_ns() + engine->config.duration_ns;
	watch(engine, hp_mailbox_fd(engine->mailbox));
	watch(engine, hp_target_pidfd(engine->config.target));
	watch(engine, engine->config.signal_fd);
	atomic_store(&engine->running, true);
	do {
		read_rings(engine);
		collect(engine);
	} while (!wait_once(engine, deadline_ns, &end));

	if (end != HP_END_EXITED)
		engine->state = HP_STATE_STOPPING;
	atomic_store(&engine->running, false);
	stop(engine);
	return end;
}

static int answer(struct hp_engine *engine, enum hp_domain_id domain, const struct hp_query *query,
		  const char *method, int *ret_status, struct hp_snapshot **ret_snapshot)
{
	struct hp_slot *slot = &engine->slots[domain];

	if (!slot->state)
		return -ENODEV;
	return slot->ops->snapshot(slot->state, query, method, ret_status, ret_snapshot);
}

static void fill_status(struct hp_engine *engine, struct hp_engine_status *status)
{
	const struct hp_status_source source = {
		.target = engine->config.target,
		.settings = engine->config.settings,
		.core = engine->core,
		.unwinder = engine->unwinder,
		.family = engine->family,
		.family_off = engine->family_off,
		.change = &engine->change,
		.modules = engine->modules,
		.slots = engine->slots,
		.state = engine->state,
		.start_ns = engine->start_ns,
		.consumed = engine->consumed,
		.unusable = engine->unusable,
		.opened = engine->opened,
	};

	hp_status_fill(&source, status);
}

/* A question to the engine from another thread. */
struct question {
	struct hp_engine *engine;
	bool is_status;
	enum hp_domain_id domain;
	struct hp_query query;
	char method[16];
	struct hp_engine_status status;
	struct hp_snapshot *snapshot;
	int http_status;
};

static int ask(void *arg)
{
	struct question *question = arg;

	if (question->is_status) {
		fill_status(question->engine, &question->status);
		return 0;
	}
	return answer(question->engine, question->domain, &question->query, question->method,
		      &question->http_status, &question->snapshot);
}

static void question_free(void *arg)
{
	struct question *question = arg;

	hp_snapshot_free(question->snapshot);
	free(question);
}

static bool on_engine_thread(struct hp_engine *engine)
{
	return pthread_equal(pthread_self(), engine->thread);
}

int hp_engine_query(struct hp_engine *engine, enum hp_domain_id domain,
		    const struct hp_query *query, const char *method, int *ret_status,
		    struct hp_snapshot **ret_snapshot)
{
	HP_AUTO(hp_request) struct hp_request_wait *wait = NULL;
	struct question *question;
	int r;

	if (on_engine_thread(engine))
		return answer(engine, domain, query, method, ret_status, ret_snapshot);
	question = calloc(1, sizeof(*question));
	if (!question)
		return -ENOMEM;
	question->engine = engine;
	question->domain = domain;
	question->query = *query;
	question->http_status = *ret_status;
	snprintf(question->method, sizeof(question->method), "%s", method);
	r = hp_request_send(engine->mailbox, ask, question, question_free, &wait);
	if (r == 0) {
		*ret_status = question->http_status;
		*ret_snapshot = HP_TAKE_PTR(question->snapshot);
	}
	return r;
}

int hp_engine_status(struct hp_engine *engine, struct hp_engine_status *ret_status)
{
	HP_AUTO(hp_request) struct hp_request_wait *wait = NULL;
	struct question *question;
	int r;

	if (on_engine_thread(engine)) {
		fill_status(engine, ret_status);
		return 0;
	}
	question = calloc(1, sizeof(*question));
	if (!question)
		return -ENOMEM;
	question->engine = engine;
	question->is_status = true;
	r = hp_request_send(engine->mailbox, ask, question, question_free, &wait);
	if (r == 0)
		*ret_status = question->status;
	return r;
}

const struct hp_family *hp_engine_family(const struct hp_engine *engine)
{
	return engine->family;
}

struct hp_core *hp_engine_core(const struct hp_engine *engine)
{
	return engine->core;
}

struct hp_mailbox *hp_engine_mailbox(const struct hp_engine *engine)
{
	return engine->mailbox;
}

struct hp_modcache *hp_engine_modules(const struct hp_engine *engine)
{
	return engine->modules;
}

struct hp_registry *hp_engine_registry(const struct hp_engine *engine)
{
	return engine->registry;
}

const struct hp_settings *hp_engine_settings(const struct hp_engine *engine)
{
	return engine->config.settings;
}

struct hp_target *hp_engine_target(const struct hp_engine *engine)
{
	return engine->config.target;
}

uint64_t hp_engine_start_ns(const struct hp_engine *engine)
{
	return engine->start_ns;
}

void *hp_engine_domain(const struct hp_engine *engine, enum hp_domain_id domain)
{
	return engine->slots[domain].state;
}

void hp_engine_observe(struct hp_engine *engine, enum hp_domain_id domain, hp_observe_fn observe,
		       void *arg)
{
	hp_slots_observe(engine->slots, domain, observe, arg);
}

uint64_t hp_engine_caught_up_ns(const struct hp_engine *engine)
{
	return engine->caught_up_ns;
}
