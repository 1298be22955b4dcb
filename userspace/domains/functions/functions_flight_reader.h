#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "domains/functions/functions_flight.h"

struct hp_engine;
struct hp_functions_probe;

/* Reads calls in progress (functions_flight_read) every now and then: while somebody asks often, else so that an answer is never without. Engine thread. */
struct hp_flight_reader {
	struct hp_functions_flight flight; /* as of the last reading */
	int link_fd;                       /* -1 = not attached yet */
	uint64_t asked_ns;                 /* the last time that somebody did; the owner sets it */
};

void hp_flight_reader_init(struct hp_flight_reader *reader);
void hp_flight_reader_deinit(struct hp_flight_reader *reader);
bool hp_flight_reader_is_due(const struct hp_flight_reader *reader, uint64_t now_ns);
/* Nothing happens before programs are loaded. A failure is said once, in the log and in `flight`. */
void hp_flight_reader_read(struct hp_flight_reader *reader, struct hp_engine *engine,
			   struct hp_functions_probe *probe, uint64_t now_ns);
