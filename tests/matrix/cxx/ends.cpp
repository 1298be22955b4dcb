/* Threads that end by exception, pthread_exit and cancellation inside probed calls: destructors of all frames must run. */
#include <pthread.h>
#include <stdexcept>
#include <thread>
#include <unistd.h>

#include "matrix.h"

MX_FUNCTION(fn_worker)
MX_FUNCTION(fn_throws)
MX_FUNCTION(fn_exit_thread)
MX_FUNCTION(fn_cancel_me)

static uint64_t destroyed;

struct Guard {
	~Guard()
	{
		__atomic_fetch_add(&destroyed, 1, __ATOMIC_RELAXED);
	}
};

MX_LINKAGE MX_TRACED void fn_throws(int i)
{
	Guard guard;

	MX_ENTER(fn_throws);
	MX_ADD(fn_throws, left, 1);
	if (i >= 0)
		throw std::runtime_error("always");
}

MX_LINKAGE MX_TRACED void fn_worker(int i)
{
	Guard guard;

	MX_ENTER(fn_worker);
	try {
		fn_throws(i);
	} catch (const std::exception &) {
	}
	MX_NO_TAIL_CALL();
}

MX_LINKAGE MX_TRACED void *fn_exit_thread(void *arg)
{
	Guard guard;

	MX_ENTER(fn_exit_thread);
	MX_ADD(fn_exit_thread, left, 1);
	fn_worker(1);
	if (arg)
		fn_exit_thread(nullptr);
	pthread_exit(reinterpret_cast<void *>(3));
}

MX_LINKAGE MX_TRACED void *fn_cancel_me(void *arg)
{
	Guard guard;
	char c;

	MX_ENTER(fn_cancel_me);
	MX_ADD(fn_cancel_me, left, 1);
	while (read(*static_cast<int *>(arg), &c, 1) >= 0)
		fn_worker(2);
	return nullptr;
}

MX_UNIT(ends)
{
	uint64_t wrong = 0;

	for (unsigned i = 0; i < rounds; i++) {
		std::thread worker(fn_worker, static_cast<int>(i));
		pthread_t exits, cancelled;
		void *result;
		int ends[2];

		wrong += pipe(ends) != 0;
		pthread_create(&exits, nullptr, fn_exit_thread, ends);
		pthread_create(&cancelled, nullptr, fn_cancel_me, &ends[0]);
		wrong += write(ends[1], "x", 1) != 1;
		worker.join();
		pthread_join(exits, &result);
		wrong += result != reinterpret_cast<void *>(3);
		while (__atomic_load_n(&mx_of_fn_cancel_me.entries, __ATOMIC_RELAXED) <= i)
			;
		pthread_cancel(cancelled);
		pthread_join(cancelled, &result);
		wrong += result != PTHREAD_CANCELED;
		close(ends[0]);
		close(ends[1]);
	}
	/* Two of each worker's call, two of the thread that exits, one of the cancelled one. */
	wrong += __atomic_load_n(&destroyed, __ATOMIC_RELAXED) !=
		 2 * mx_of_fn_worker.entries + 3 * rounds;
	destroyed = 0;
	return wrong;
}
