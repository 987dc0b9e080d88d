/* The network function behind Open vSwitch's vhost-user port: sends back all that it receives, on the same port, unchanged.
 *
 * Takes EAL arguments alone, with one virtio-user device that listens (server=1): this is the guest, whose memory the switch
 * maps; it waits at its start until the switch has come. One lcore; SIGTERM ends it. */
#include <rte_config.h>

#include <signal.h>
#include <stdio.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

enum { PORT = 0, BURST = 32, DESCRIPTORS = 256, BUFFERS = 8191, CACHE = 256 };

static volatile sig_atomic_t running = 1;

static void stop(int signal)
{
	(void)signal;
	running = 0;
}

/* Nothing is lost here: what the switch does not take yet keeps the next burst waiting in the receive queue. */
static void send_back(struct rte_mbuf **burst, uint16_t count)
{
	uint16_t sent = 0;

	while (sent < count && running)
		sent += rte_eth_tx_burst(PORT, 0, burst + sent, count - sent);
}

static int start_port(struct rte_mempool *pool)
{
	struct rte_eth_conf configuration = {0};

	if (rte_eth_dev_configure(PORT, 1, 1, &configuration) < 0 ||
	    rte_eth_rx_queue_setup(PORT, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL, pool) < 0 ||
	    rte_eth_tx_queue_setup(PORT, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL) < 0)
		return -1;
	return rte_eth_dev_start(PORT);
}

int main(int argc, char **argv)
{
	struct rte_mbuf *burst[BURST];
	struct rte_mempool *pool;

	if (rte_eal_init(argc, argv) < 0)
		return 1;
	/* Until here the signal ends the process at once, also while it waits for the switch. */
	signal(SIGTERM, stop);
	pool = rte_pktmbuf_pool_create("packets", BUFFERS, CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!pool || rte_eth_dev_count_avail() != 1 || start_port(pool)) {
		fprintf(stderr, "virtio_loop: one port is needed that starts, and 32 MiB: %s\n", rte_strerror(rte_errno));
		return 1;
	}
	while (running)
		send_back(burst, rte_eth_rx_burst(PORT, 0, burst, BURST));
	return 0;
}
