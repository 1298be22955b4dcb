#include "domains/cpu/cpu_events.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "base/clock.h"
#include "probe/kfeat.h"

#define SEC_NS 1000000000ull
/* A beat lasts so many samples at least, so that what its end costs is a small part and is evenly distributed. */
#define LEAST_SAMPLES 16
#define LEAST_SPAN_NS 100000000ull

static uint32_t draw(struct hp_cpu_events *events)
{
	/* Vigna's splitmix64, public domain. */
	uint64_t z = events->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (uint32_t)(z >> 32);
}

uint64_t hp_cpu_events_period_ns(unsigned hz, uint64_t span_ns, uint32_t random)
{
	double share = 0.875 + 0.25 * ((double)random / 4294967296.0);
	double rate = hz * share + (double)SEC_NS / (2 * (double)span_ns);

	return (uint64_t)((double)SEC_NS / rate + 0.5);
}

static uint64_t span_ns(const struct hp_cpu_events *events)
{
	uint64_t least = LEAST_SAMPLES * SEC_NS / events->hz;

	return least > LEAST_SPAN_NS ? least : LEAST_SPAN_NS;
}

static int open_one(struct hp_cpu_events *events, int on_cpu)
{
	bool cycles = hp_kfeat_has(HP_KFEAT_CYCLES);
	struct perf_event_attr attr = {
		.type = cycles ? PERF_TYPE_HARDWARE : PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = cycles ? PERF_COUNT_HW_CPU_CYCLES : PERF_COUNT_SW_CPU_CLOCK,
		.freq = 1,
		.sample_freq = events->hz,
	};
	struct hp_cpu_event event = {
		.fd = (int)syscall(SYS_perf_event_open, &attr, -1, on_cpu, -1,
				   PERF_FLAG_FD_CLOEXEC),
	};
	int r;

	if (event.fd < 0)
		return -errno;
	event.link = bpf_program__attach_perf_event(events->program, event.fd);
	if (!event.link) {
		r = -errno;
		close(event.fd);
		return r;
	}
	r = hp_vec_push(&events->list, event);
	if (r < 0)
		bpf_link__destroy(event.link);
	return r;
}

int hp_cpu_events_open(struct hp_cpu_events *events, struct bpf_program *program, unsigned hz)
{
	int ncpus = libbpf_num_possible_cpus();
	int r = 0;

	events->program = program;
	events->hz = hz;
	events->last_ns = hp_clock_mono_ns();
	events->random = events->last_ns;
	for (int i = 0; i < ncpus; i++) {
		r = open_one(events, i);
		if (r < 0 && r != -ENODEV) /* ENODEV: offline */
			return r;
	}
	return events->list.len ? 0 : r;
}

void hp_cpu_events_tick(struct hp_cpu_events *events, uint64_t now_ns)
{
	uint64_t span = now_ns - events->last_ns;

	/* The kernel adapts the rate of cycles by itself, all the time. */
	if (span < span_ns(events) || hp_kfeat_has(HP_KFEAT_CYCLES))
		return;
	events->last_ns = now_ns;
	hp_vec_each(event, &events->list) {
		uint64_t period = hp_cpu_events_period_ns(events->hz, span, draw(events));

		/* A CPU that has gone offline keeps the old one. */
		(void)ioctl(event->fd, PERF_EVENT_IOC_PERIOD, &period);
	}
}

void hp_cpu_events_close(struct hp_cpu_events *events)
{
	hp_vec_each(event, &events->list)
		bpf_link__destroy(event->link);
	hp_vec_free(&events->list);
}
