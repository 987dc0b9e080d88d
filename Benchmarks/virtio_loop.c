/* The network functions behind Open vSwitch's vhost-user ports: each sends back all that it receives, on the same port, unchanged.
 *
 * Takes EAL arguments alone, with virtio-user devices that listen (server=1): this is the guests, whose memory the switch maps; it
 * waits at its start until the switch has come. One lcore; SIGTERM ends it. */
#include <rte_config.h>

#include <signal.h>
#include <stdio.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

enum { BURST = 32, DESCRIPTORS = 256, BUFFERS = 8191, CACHE = 256 };

static volatile sig_atomic_t running = 1;

static void stop(int signal)
{
	(void)signal;
	running = 0;
}

/* Nothing is lost here: what the switch does not take yet keeps the next burst waiting in the receive queue. */
static void send_back(uint16_t port, struct rte_mbuf **burst, uint16_t count)
{
	uint16_t sent = 0;

	while (sent < count && running)
		sent += rte_eth_tx_burst(port, 0, burst + sent, count - sent);
}

static int start_port(uint16_t port, struct rte_mempool *pool)
{
	struct rte_eth_conf configuration = {0};

	if (rte_eth_dev_configure(port, 1, 1, &configuration) < 0 ||
	    rte_eth_rx_queue_setup(port, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL, pool) < 0 ||
	    rte_eth_tx_queue_setup(port, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL) < 0)
		return -1;
	return rte_eth_dev_start(port);
}

int main(int argc, char **argv)
{
	struct rte_mbuf *burst[BURST];
	struct rte_mempool *pool;
	uint16_t count;

	if (rte_eal_init(argc, argv) < 0)
		return 1;
	/* Until here the signal ends the process at once, also while it waits for the switch. */
	signal(SIGTERM, stop);
	pool = rte_pktmbuf_pool_create("packets", BUFFERS, CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	count = rte_eth_dev_count_avail();
	for (uint16_t port = 0; port < count || count == 0; port++) {
		if (pool && count > 0 && !start_port(port, pool))
			continue;
		fprintf(stderr, "virtio_loop: ports are needed that start, and 32 MiB: %s\n", rte_strerror(rte_errno));
		return 1;
	}
	while (running) {
		for (uint16_t port = 0; port < count; port++)
			send_back(port, burst, rte_eth_rx_burst(port, 0, burst, BURST));
	}
	return 0;
}
