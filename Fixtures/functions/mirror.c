// Lets packets through and sends a copy of each to the function at the port that is the argument. That one, without an argument, makes
// packets of what it is sent.
#include "netlib.h"

struct mirror {
	struct netlib *netlib;
	uint32_t port;
};

static uint64_t copy(struct netlib_packet *packet, void *context)
{
	const struct netlib_packet *message = context;

	packet->length = message->length;
	memcpy(packet->data, message->data, message->length);
	return NETLIB_NEXT;
}

static uint64_t on_packet(struct netlib_packet *packet, void *context)
{
	const struct mirror *mirror = context;

	if (mirror->port) netlib_message(mirror->netlib, mirror->port, packet->data, packet->length);
	return NETLIB_NEXT;
}

static uint64_t on_message(struct netlib_packet *message, void *context)
{
	const struct mirror *mirror = context;

	netlib_make(mirror->netlib, copy, message);
	return NETLIB_DROP;
}

int main(int count, char **words)
{
	static struct netlib netlib;
	const struct netlib_function function = {.packet = on_packet, .message = on_message};
	struct mirror mirror = {&netlib, count > 1 ? (uint32_t)atol(words[1]) : 0};

	return netlib_run_function(&netlib, &function, &mirror);
}
