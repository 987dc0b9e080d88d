// NetLib for C, in the headers of this folder: attaches a network function to the agent, hands it packets, gives back its verdicts. A
// process on the host opens the files that the agent has made, a program in a virtual machine the devices (ivshmem-plain).
//
//     static uint64_t decide(struct netlib_packet *packet, void *context) { return NETLIB_NEXT; }
//     int main(void) { return netlib_run(decide, NULL); }
//
// NetLib for Swift is built on this.
#ifndef NETLIB_H
#define NETLIB_H

#include "netlib_packets.h"

#include <pthread.h>
#include <signal.h>

/// Polls that find nothing before a function sleeps.
enum { NETLIB_IDLE_POLLS = 10000 };

static volatile sig_atomic_t netlib_is_over;

static inline void netlib_end(int signal)
{
	(void)signal;
	netlib_is_over = 1;
}

/// What a function does. What it has no need of is NULL.
struct netlib_function {
	/// With packets, and with messages.
	netlib_decide *packet, *message;
	/// At each turn of the loop, such as to make packets; returns how much that was: with 0, and no packets, the function sleeps.
	unsigned (*turn)(struct netlib *self, void *context);
};

static inline uint64_t netlib_drop(struct netlib_packet *packet, void *context)
{
	(void)packet, (void)context;
	return NETLIB_DROP;
}

/// One turn of the loop; returns how much was done.
static inline unsigned netlib_turn(struct netlib *self, const struct netlib_function *function, void *context)
{
	unsigned done = netlib_poll(self, function->packet ? function->packet : netlib_drop, context);

	done += netlib_poll_messages(self, function->message ? function->message : netlib_drop, context);
	if (function->turn) done += function->turn(self, context);
	return done;
}

/// Turns of one thread until the agent has let the function go, or the function is to end.
static inline void netlib_serve(struct netlib *self, const struct netlib_function *function, void *context)
{
	unsigned idle = 0;

	while (!netlib_is_over && netlib_is_attached(self)) {
		if (netlib_turn(self, function, context) > 0)
			idle = 0;
		else if (idle++ < NETLIB_IDLE_POLLS)
			vmring_pause();
		else
			netlib_sleep(self);
	}
}

/// One of the threads of a function that has one for each queue.
struct netlib_thread {
	struct netlib part;
	const struct netlib_function *function;
	void *context;
	pthread_t thread;
};

static inline void *netlib_thread_main(void *argument)
{
	struct netlib_thread *self = argument;

	netlib_serve(&self->part, self->function, self->context);
	return NULL;
}

/// A thread for each queue, until all have ended; if one cannot be started none works, and `error` says so.
static inline void netlib_serve_by_threads(struct netlib *self, const struct netlib_function *function, void *context)
{
	struct netlib_thread *threads = calloc(self->queue_count, sizeof *threads);
	unsigned count = 0;

	while (threads && count < self->queue_count) {
		threads[count].function = function;
		threads[count].context = context;
		netlib_share(&threads[count].part, self, count);
		if (pthread_create(&threads[count].thread, NULL, netlib_thread_main, &threads[count])) break;
		count++;
	}
	if (count < self->queue_count) {
		netlib_fail(self->error, "threads", "not one for each queue could be started");
		netlib_detach(self);
	}
	for (unsigned i = 0; i < count; i++) pthread_join(threads[i].thread, NULL);
	free(threads);
}

/// A function's main loop, until SIGTERM or SIGINT; the status to exit with: 0, or 1 with a word on standard error. With `has_threads`
/// each queue has a thread, and all call the same function, with the same context, at the same time.
static inline int netlib_run_function(struct netlib *self, const struct netlib_function *function, void *context)
{
	bool has_threads = self->has_threads;

	signal(SIGTERM, netlib_end);
	signal(SIGINT, netlib_end);
	if (!netlib_open_found(self)) {
		fprintf(stderr, "%s\n", self->error);
		return 1;
	}
	self->has_threads = has_threads;
	if (netlib_complaint(self)) fprintf(stderr, "%s\n", self->error);
	while (!netlib_is_over) {
		if (netlib_attach(self)) {
			fprintf(stderr, "attached as port %u\n", self->port);
			(has_threads ? netlib_serve_by_threads : netlib_serve)(self, function, context);
		} else if (!self->error[0]) {
			usleep(1000);
		}
		if (self->error[0]) {
			fprintf(stderr, "%s\n", self->error);
			netlib_close(self);
			return 1;
		}
	}
	netlib_close(self);
	return 0;
}

/// The same, of a function that does something with packets only.
static inline int netlib_run(netlib_decide *decide, void *context)
{
	static struct netlib self;
	const struct netlib_function function = {.packet = decide};

	return netlib_run_function(&self, &function, context);
}

/// The same with a thread for each of the port's queues.
static inline int netlib_run_threads(netlib_decide *decide, void *context)
{
	static struct netlib self = {.has_threads = true};
	const struct netlib_function function = {.packet = decide};

	return netlib_run_function(&self, &function, context);
}

#endif
