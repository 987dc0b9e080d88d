// A thread for each queue, which says of each packet by which queue it came.
#include "netlib.h"

static uint64_t decide(struct netlib_packet *packet, void *context)
{
	(void)context;
	fprintf(stderr, "packet of %u bytes from port %u in buffer %u of queue %u\n", packet->length, packet->in_port, packet->buffer,
		packet->queue);
	return NETLIB_NEXT;
}

int main(void) { return netlib_run_threads(decide, NULL); }
