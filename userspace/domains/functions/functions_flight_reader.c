#include "domains/functions/functions_flight_reader.h"

#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "domains/functions/functions_flight_read.h"
#include "domains/functions/functions_guard.h"
#include "domains/functions/functions_probe.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "target/target.h"

/* While somebody asks, calls in progress are read at each collect. */
#define ASKED_NS 10000000000ull
#define IDLE_NS  1000000000ull

void hp_flight_reader_init(struct hp_flight_reader *reader)
{
	*reader = (struct hp_flight_reader){.link_fd = -1};
}

void hp_flight_reader_deinit(struct hp_flight_reader *reader)
{
	hp_functions_flight_deinit(&reader->flight);
	if (reader->link_fd >= 0)
		close(reader->link_fd);
	reader->link_fd = -1;
}

bool hp_flight_reader_is_due(const struct hp_flight_reader *reader, uint64_t now_ns)
{
	return (reader->asked_ns && now_ns < reader->asked_ns + ASKED_NS) ||
	       now_ns >= reader->flight.read_ns + IDLE_NS;
}

/* @pid: 0 = all. */
static int attach(struct hp_flight_reader *reader, int prog_fd, pid_t pid)
{
	int r;

	if (reader->link_fd >= 0)
		return 0;
	r = hp_functions_flight_attach(prog_fd, pid);
	if (r < 0)
		return r;
	reader->link_fd = r;
	return 0;
}

static uint8_t mode_of(const void *arg, uint32_t entity)
{
	const struct hp_guard_entity *entities = arg;

	return entities[entity].mode;
}

void hp_flight_reader_read(struct hp_flight_reader *reader, struct hp_engine *engine,
			   struct hp_functions_probe *probe, uint64_t now_ns)
{
	const struct hp_functions_totals totals = hp_functions_probe_totals(probe);
	const struct hp_flight_context context = {
		.nentities = totals.nentities,
		.mode_of = mode_of,
		.arg = totals.entities,
		.controls = totals.controls,
	};
	struct hp_flight_sources sources = {
		.goroutines_fd = totals.go ? totals.goroutines_fd : -1,
		.pid = hp_engine_settings(engine)->follow_forks
			       ? 0
			       : hp_target_pid(hp_engine_target(engine)),
	};
	struct hp_functions_flight *flight = &reader->flight;
	int r;

	if (!totals.cells)
		return;
	r = attach(reader, totals.flight_fd, sources.pid);
	sources.link_fd = reader->link_fd;
	if (r == 0)
		r = hp_functions_flight_read(&sources, &context, now_ns, flight);
	if (r == 0) {
		flight->failed[0] = '\0';
	} else if (!flight->failed[0]) {
		snprintf(flight->failed, sizeof(flight->failed),
			 "calls in progress cannot be read: %s", hp_err_name(r));
		hp_log(HP_LOG_WARN, "functions", "%s", flight->failed);
	}
}
