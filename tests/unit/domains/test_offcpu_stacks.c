/* Stacks of waits: which are the same, what a drawn one stands for, who ended them, and the bounds. */
#include "domains/offcpu/offcpu_stacks.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
	struct hp_offcpu_stacks *stacks = NULL;

	assert_int_equal(hp_offcpu_stacks_new(&stacks), 0);
	*state = stacks;
	return 0;
}

static int teardown(void **state)
{
	hp_offcpu_stacks_free(*state);
	return 0;
}

/* Two kernel frames and @nuser user frames from @first on. */
static struct hp_offcpu_event wait_of(uint64_t blocked_ns, uint8_t shift, uint16_t nuser,
				      uint64_t first)
{
	struct hp_offcpu_event event = {
		.hdr = {.domain = HP_DOMAIN_offcpu, .kind = HP_EVENT_WAIT, .tid = 9, .ts_ns = 50},
		.blocked_ns = blocked_ns,
		.queue_ns = 3,
		.tgid = 4,
		.wait = HP_WAIT_LOCK,
		.shift = shift,
		.nkernel = 2,
		.nuser = nuser,
		.ips = {0xffffffff81000001, 0xffffffff81000002},
	};

	for (uint16_t i = 0; i < nuser; i++)
		event.ips[2 + i] = first + i;
	return event;
}

static size_t size_of(const struct hp_offcpu_event *event)
{
	return HP_OFFCPU_EVENT_MIN + 8 * ((size_t)event->nkernel + event->nuser);
}

static void add(struct hp_offcpu_stacks *stacks, const struct hp_offcpu_event *event)
{
	assert_int_equal(hp_offcpu_stacks_add(stacks, &event->hdr, size_of(event)), 0);
}

static void take(void *arg, const struct hp_offcpu_stack *stack)
{
	*(const struct hp_offcpu_stack **)arg = stack;
}

/* The last one. */
static const struct hp_offcpu_stack *last(struct hp_offcpu_stacks *stacks)
{
	const struct hp_offcpu_stack *stack = NULL;

	hp_offcpu_stacks_each(stacks, take, &stack);
	assert_non_null(stack);
	return stack;
}

static void test_same(void **state)
{
	struct hp_offcpu_event one = wait_of(100, 0, 3, 0x1000), other = wait_of(1, 0, 4, 0x1000);

	add(*state, &one);
	add(*state, &one);
	assert_int_equal(hp_offcpu_stacks_len(*state), 1);
	assert_int_equal(last(*state)->samples, 2);
	assert_true(last(*state)->certain_ns == 200);
	add(*state, &other);
	one.wait = HP_WAIT_SLEEP;
	add(*state, &one);
	one.tgid++;
	add(*state, &one);
	one.flags = HP_OFFCPU_LEAF;
	add(*state, &one);
	assert_int_equal(hp_offcpu_stacks_len(*state), 5);
}

/* One in 4 was drawn: n = 4, variance 4 * 3 * d^2. A long one stands for itself, however it was drawn. */
static void test_weights(void **state)
{
	struct hp_offcpu_event drawn = wait_of(1000, 2, 1, 0x1000);
	struct hp_offcpu_event edge = wait_of(HP_OFFCPU_LONG_NS - 3, 2, 1, 0x1000);
	struct hp_offcpu_sums sums;

	add(*state, &drawn);
	assert_true(last(*state)->estimate_ns == 4000 && last(*state)->certain_ns == 0);
	assert_true(last(*state)->variance == 12e6);
	add(*state, &edge); /* with its 3 ns of run queue it is long */
	assert_true(last(*state)->certain_ns == (double)(HP_OFFCPU_LONG_NS - 3));
	assert_true(last(*state)->variance == 12e6);
	sums = hp_offcpu_stacks_sums(*state);
	assert_true(sums.estimate_ns[HP_WAIT_LOCK] == 4000);
	assert_int_equal(sums.samples, 2);
}

static void wake(struct hp_offcpu_event *event, uint32_t tid, uint64_t kernel, uint64_t user)
{
	event->flags = HP_OFFCPU_WOKEN;
	event->waker_tid = tid;
	event->waker_nkernel = 6;
	event->waker_nuser = 1;
	for (int i = 0; i < 6; i++)
		event->waker[i] = kernel;
	event->waker[6] = user;
}

static void test_wakers(void **state)
{
	struct hp_offcpu_event event = wait_of(10, 0, 1, 0x1000);

	add(*state, &event); /* nobody known */
	wake(&event, 11, 1, 0x2000);
	add(*state, &event);
	wake(&event, 11, 2, 0x2000); /* another way through the kernel */
	add(*state, &event);
	wake(&event, 11, 1, 0x3000);
	add(*state, &event);
	wake(&event, 12, 1, 0x2000);
	add(*state, &event);
	assert_int_equal(last(*state)->nwakers, 3);
	assert_int_equal(last(*state)->wakers[0].waits, 2);
	assert_int_equal(last(*state)->wakers[0].ns, 20);
	assert_int_equal(last(*state)->other_wakers, 1);
	wake(&event, 13, 1, 0);
	add(*state, &event);
	wake(&event, 14, 1, 0);
	add(*state, &event);
	assert_int_equal(last(*state)->nwakers, HP_OFFCPU_WAKERS);
	assert_int_equal(last(*state)->other_wakers, 2);
}

/* An interrupt comes upon whoever runs. */
static void test_interrupts(void **state)
{
	struct hp_offcpu_event event = wait_of(10, 0, 1, 0x1000);

	for (uint32_t tid = 20; tid < 30; tid++) {
		wake(&event, tid, 1, tid);
		event.flags |= HP_OFFCPU_INTERRUPT;
		add(*state, &event);
	}
	assert_int_equal(last(*state)->nwakers, 1);
	assert_int_equal(last(*state)->wakers[0].waits, 10);
	wake(&event, 20, 1, 20); /* by that thread itself */
	add(*state, &event);
	assert_int_equal(last(*state)->nwakers, 2);
}

static void test_names(void **state)
{
	struct hp_offcpu_event event = wait_of(10, 0, 1, 0x1000);
	uint32_t entities[HP_OFFCPU_FRAMES] = {5, 6, 7, 8, 9, 10, 11};
	struct hp_offcpu_job job;

	wake(&event, 11, 1, 0x2000);
	event.waker_tgid = 77;
	add(*state, &event);
	assert_int_equal(hp_offcpu_stacks_next(*state, UINT64_MAX, &job), HP_OFFCPU_JOB);
	assert_int_equal(job.tgid, 4);
	assert_int_equal(job.n, 3);
	assert_int_equal(job.nkernel, 2);
	assert_int_equal(job.addrs[2], 0x1000);
	hp_offcpu_stacks_name(*state, &job, entities, 1, HP_OFFCPU_CONTEXT_TIMER);
	assert_true(last(*state)->frames.named);
	assert_int_equal(last(*state)->frames.skip, 1);
	assert_int_equal(last(*state)->frames.entities[2], 7);
	assert_int_equal(hp_offcpu_stacks_next(*state, UINT64_MAX, &job), HP_OFFCPU_JOB);
	assert_int_equal(job.tgid, 77);
	assert_int_equal(job.n, 7);
	hp_offcpu_stacks_name(*state, &job, entities, 0, HP_OFFCPU_CONTEXT_THREAD);
	assert_int_equal(last(*state)->wakers[0].context, HP_OFFCPU_CONTEXT_THREAD);
	hp_offcpu_stacks_stop(*state);
	assert_int_equal(hp_offcpu_stacks_next(*state, UINT64_MAX, &job), HP_OFFCPU_STOPPED);
}

struct news {
	uint64_t calls, samples, ns;
};

static void add_news(void *arg, const struct hp_offcpu_stack *stack, uint64_t samples, uint64_t ns)
{
	struct news *news = arg;

	news->calls++;
	news->samples += samples;
	news->ns += ns;
}

/* What has no name yet is told later, and everything once. */
static void test_news(void **state)
{
	struct hp_offcpu_event event = wait_of(10, 0, 1, 0x1000);
	uint32_t entities[HP_OFFCPU_FRAMES] = {5, 6, 7};
	struct hp_offcpu_job job;
	struct news news = {0};

	add(*state, &event);
	hp_offcpu_stacks_news(*state, add_news, &news);
	assert_int_equal(news.calls, 0);
	assert_int_equal(hp_offcpu_stacks_next(*state, UINT64_MAX, &job), HP_OFFCPU_JOB);
	hp_offcpu_stacks_name(*state, &job, entities, 0, HP_OFFCPU_CONTEXT_UNKNOWN);
	event = wait_of(7, 2, 1, 0x1000); /* stands for four */
	add(*state, &event);
	hp_offcpu_stacks_news(*state, add_news, &news);
	assert_int_equal(news.calls, 1);
	assert_int_equal(news.samples, 2);
	assert_int_equal(news.ns, 10 + 4 * 7);
	hp_offcpu_stacks_news(*state, add_news, &news);
	assert_int_equal(news.calls, 1);
	add(*state, &event);
	hp_offcpu_stacks_news(*state, add_news, &news);
	assert_int_equal(news.calls, 2);
	assert_int_equal(news.samples, 3);
	assert_int_equal(news.ns, 10 + 8 * 7);
	assert_int_equal(hp_offcpu_stacks_next(*state, 1, &job), HP_OFFCPU_TIME); /* long ago */
}

static void test_full(void **state)
{
	struct hp_offcpu_event event = wait_of(10, 1, 1, 0);

	for (uint64_t i = 0; i < HP_OFFCPU_STACKS + 5; i++) {
		event.ips[2] = i;
		add(*state, &event);
	}
	assert_int_equal(hp_offcpu_stacks_len(*state), HP_OFFCPU_STACKS);
	assert_true(hp_offcpu_stacks_sums(*state).left_out_ns == 5 * 2 * 10);
	assert_true(hp_offcpu_stacks_sums(*state).estimate_ns[HP_WAIT_LOCK] ==
		    (HP_OFFCPU_STACKS + 5) * 2 * 10);
}

static void refused(struct hp_offcpu_stacks *stacks, const struct hp_offcpu_event *event,
		    size_t size)
{
	assert_int_equal(hp_offcpu_stacks_add(stacks, &event->hdr, size), -EINVAL);
}

static void test_unsound(void **state)
{
	const struct hp_offcpu_event sound = wait_of(10, 1, 1, 0x1000);
	struct hp_offcpu_event event = sound;

	refused(*state, &event, size_of(&event) - 8);
	refused(*state, &event, size_of(&event) + 8);
	refused(*state, &event, sizeof(event.hdr) - 1);
	event.nuser = HP_OFFCPU_USER_FRAMES + 1;
	refused(*state, &event, size_of(&event));
	event = sound;
	event.waker_nuser = HP_OFFCPU_WAKER_USER + 1;
	refused(*state, &event, size_of(&event));
	event = sound;
	event.wait = HP_NWAITS;
	refused(*state, &event, size_of(&event));
	event = sound;
	event.shift = 64;
	refused(*state, &event, size_of(&event));
	event = sound;
	event.hdr.kind = HP_EVENT_OFFCPU_GONE;
	refused(*state, &event, size_of(&event));
	assert_int_equal(hp_offcpu_stacks_len(*state), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same, setup, teardown),
		cmocka_unit_test_setup_teardown(test_weights, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wakers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_interrupts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_news, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unsound, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
