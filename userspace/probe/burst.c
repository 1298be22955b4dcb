#include "probe/burst.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Data pages of a CPU's buffer; a sample takes 24 bytes. What finds it full is not missed: shares matter, not sums. */
#define PAGES 8

struct buffer {
	int fd;
	struct perf_event_mmap_page *head;
};

struct hp_burst {
	size_t page, ncpus;
	struct buffer buffers[];
};

static size_t length(const struct hp_burst *burst)
{
	return (1 + PAGES) * burst->page;
}

/* 0, -ENODEV (the CPU is offline) or other negative errno. */
static int open_buffer(const struct hp_burst *burst, int on_cpu, uint64_t period_ns,
		       struct buffer *ret_buffer)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = period_ns,
		.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.exclude_idle = 1,
		.watermark = 1,
		.wakeup_watermark = UINT32_MAX, /* nobody waits for it */
	};
	HP_AUTO_FD int fd =
		(int)syscall(SYS_perf_event_open, &attr, -1, on_cpu, -1, PERF_FLAG_FD_CLOEXEC);
	void *head;

	if (fd < 0)
		return -errno;
	head = mmap(NULL, length(burst), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (head == MAP_FAILED)
		return -errno;
	ret_buffer->head = head;
	ret_buffer->fd = HP_TAKE_FD(fd);
	return 0;
}

int hp_burst_start(uint64_t period_ns, struct hp_burst **ret_burst)
{
	HP_AUTO(hp_burst) struct hp_burst *burst = NULL;
	long ncpus = sysconf(_SC_NPROCESSORS_CONF);
	size_t opened = 0;

	if (ncpus < 1)
		return -EINVAL;
	burst = calloc(1, sizeof(*burst) + (size_t)ncpus * sizeof(burst->buffers[0]));
	if (!burst)
		return -ENOMEM;
	burst->page = (size_t)sysconf(_SC_PAGESIZE);
	burst->ncpus = (size_t)ncpus;
	for (size_t i = 0; i < burst->ncpus; i++)
		burst->buffers[i].fd = -1;
	for (size_t i = 0; i < burst->ncpus; i++) {
		int r = open_buffer(burst, (int)i, period_ns, &burst->buffers[i]);

		if (r < 0 && r != -ENODEV)
			return r;
		opened += r == 0;
	}
	if (opened == 0)
		return -ENODEV;
	*ret_burst = HP_TAKE_PTR(burst);
	return 0;
}

/* Out of a ring in which a record may wrap. The kernel writes it, so its sizes can be trusted but for the cap. */
static void copy_out(const struct hp_burst *burst, const struct buffer *buffer, uint64_t at,
		     void *to, size_t len)
{
	const uint8_t *data = (const uint8_t *)buffer->head + burst->page;
	size_t size = PAGES * burst->page, from = at % size;
	size_t first = len < size - from ? len : size - from;

	memcpy(to, data + from, first);
	memcpy((uint8_t *)to + first, data, len - first);
}

static int read_buffer(const struct hp_burst *burst, const struct buffer *buffer, int pid,
		       struct hp_burst_addrs *addrs)
{
	/* Pairs with the barrier of perf_output_put_handle(). */
	uint64_t end = __atomic_load_n(&buffer->head->data_head, __ATOMIC_ACQUIRE);
	uint64_t at = buffer->head->data_tail;
	int r = 0;

	while (at < end && r == 0) {
		struct {
			struct perf_event_header header;
			uint64_t ip;
			uint32_t pid, tid;
		} record;

		copy_out(burst, buffer, at, &record.header, sizeof(record.header));
		if (record.header.size < sizeof(record.header))
			break;
		if (record.header.type == PERF_RECORD_SAMPLE &&
		    record.header.size >= sizeof(record)) {
			copy_out(burst, buffer, at, &record, sizeof(record));
			if (record.pid == (uint32_t)pid)
				r = hp_vec_push(addrs, record.ip);
		}
		at += record.header.size;
	}
	__atomic_store_n(&buffer->head->data_tail, at, __ATOMIC_RELEASE);
	return r;
}

int hp_burst_read(struct hp_burst *burst, int pid, struct hp_burst_addrs *addrs)
{
	int r = 0;

	for (size_t i = 0; i < burst->ncpus && r == 0; i++) {
		if (burst->buffers[i].head)
			r = read_buffer(burst, &burst->buffers[i], pid, addrs);
	}
	return r;
}

void hp_burst_free(struct hp_burst *burst)
{
	if (!burst)
		return;
	for (size_t i = 0; i < burst->ncpus; i++) {
		if (burst->buffers[i].head)
			munmap(burst->buffers[i].head, length(burst));
		if (burst->buffers[i].fd >= 0)
			close(burst->buffers[i].fd);
	}
	free(burst);
}
