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

/// A function's main loop, until SIGTERM or SIGINT; the status to exit with: 0, or 1 with a word on standard error.
static inline int netlib_run_function(struct netlib *self, const struct netlib_function *function, void *context)
{
	signal(SIGTERM, netlib_end);
	signal(SIGINT, netlib_end);
	if (!netlib_open_found(self)) {
		fprintf(stderr, "%s\n", self->error);
		return 1;
	}
	if (netlib_complaint(self)) fprintf(stderr, "%s\n", self->error);
	while (!netlib_is_over) {
		unsigned idle = 0;

		if (!netlib_attach(self)) {
			if (self->error[0]) {
				fprintf(stderr, "%s\n", self->error);
				netlib_close(self);
				return 1;
			}
			usleep(1000);
			continue;
		}
		fprintf(stderr, "attached as port %u\n", self->port);
		while (!netlib_is_over && netlib_is_attached(self)) {
			if (netlib_turn(self, function, context) > 0)
				idle = 0;
			else if (idle++ < NETLIB_IDLE_POLLS)
				vmring_pause();
			else
				netlib_sleep(self);
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

#endif
