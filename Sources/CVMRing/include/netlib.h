// NetLib for C, in the headers of this folder: attaches a network function to the agent, hands it packets, gives back its verdicts. A
// process on the host opens the files that the agent has made, a program in a virtual machine the devices (ivshmem-plain).
//
//     static uint64_t decide(struct netlib_packet *packet, void *context) { return NETLIB_NEXT; }
//     int main(void) { return netlib_run(decide, NULL); }
//
// NetLib for Swift is built on this.
#ifndef NETLIB_H
#define NETLIB_H

#include "netlib_memory.h"

#include <signal.h>

/// A packet, where the agent put it. A function may write to it, and move its beginning and its end within its buffer.
struct netlib_packet {
	/// The Ethernet header and what follows it, good until the verdict.
	uint8_t *data;
	/// In bytes, without frame check sequence.
	uint16_t length;
	/// The OpenFlow port where it came in; 0: none.
	uint32_t in_port;
	/// The number of its buffer: the same in all functions of the group that it goes through.
	uint32_t buffer;
	/// Its buffer: where that begins, and its bytes. Shared memory: other functions of the group see it as well.
	uint8_t *start;
	uint32_t size;
};

/// Verdicts. Drop it · look it up again: it comes in by the function's port · output it to an OpenFlow port, past the rules.
#define NETLIB_DROP ((uint64_t)VMRING_DROP << 32)
#define NETLIB_NEXT ((uint64_t)VMRING_NEXT << 32)
#define NETLIB_OUT(port) ((uint64_t)VMRING_OUT << 32 | (uint32_t)(port))

/// Says what becomes of a packet.
typedef uint64_t netlib_decide(struct netlib_packet *packet, void *context);

enum {
	/// As many as DPDK has (RTE_MAX_LCORE).
	NETLIB_MOST_WORKERS = 128,
	/// Packets that are taken at a time.
	NETLIB_BURST = 32,
};

/// One ring, as this side sees it.
struct netlib_ring {
	struct vmring_parts parts;
	/// 0: there is none.
	uint64_t capacity;
	/// This side's position.
	uint64_t position;
	/// Of a ring from the agent: how far it has produced, when that was last looked at.
	uint64_t seen;
};

/// The rings that a function shares with one worker.
struct netlib_worker {
	uint16_t worker, queue;
	/// By vmring_kind.
	struct netlib_ring rings[VMRING_TRANSMIT + 1];
};

/// A function's side of one port. For one thread.
struct netlib {
	struct netlib_region packets, rings;
	struct vmring_header *header;
	uint32_t buffer_size;
	/// The port's OpenFlow number, once it is attached.
	uint32_t port;
	/// Why something failed.
	char error[NETLIB_TEXT];

	// The rest is for the functions here.
	uint64_t epoch, agent, beats;
	bool was_attached;
	unsigned worker_count;
	struct netlib_worker workers[NETLIB_MOST_WORKERS];
};

// MARK: Opening

/// Opens what the agent has made for a VM: files, or folders of PCI devices. False: `error` says why.
static inline bool netlib_open(struct netlib *self, const char *packets, const char *rings)
{
	memset(self, 0, sizeof *self);
	if (!netlib_map(&self->packets, packets, self->error)) return false;
	if (netlib_map(&self->rings, rings, self->error)) {
		self->header = (struct vmring_header *)(void *)self->rings.memory;
		// On the host the agent may be about to make the file.
		if (!vmring_lock(self->rings.file))
			netlib_fail(self->error, rings, "another process is attached");
		else if (!self->rings.is_on_host && self->header->magic != VMRING_MAGIC)
			netlib_fail(self->error, rings, "there are no rings in this memory");
		else
			return true;
		netlib_unmap(&self->rings);
	}
	netlib_unmap(&self->packets);
	return false;
}

/// Opens what `netlib_find` finds.
static inline bool netlib_open_found(struct netlib *self)
{
	struct netlib_places places;

	self->error[0] = 0;
	return netlib_find(&places, self->error) && netlib_open(self, places.packets, places.rings);
}

/// What is wrong with the way that the memory is mapped, in `error`; NULL: nothing. Where the processor does not cache it, packets
/// pass at a hundredth of the rate.
static inline const char *netlib_complaint(struct netlib *self)
{
	uint64_t nanoseconds = netlib_read_time(&self->packets);

	// A cached line takes some nanoseconds, even where the processor is emulated.
	if (nanoseconds <= 60) return NULL;
	snprintf(self->error, sizeof self->error, "packet memory is not cached: reading a line of it takes %llu ns",
		(unsigned long long)nanoseconds);
	return self->error;
}

/// Tells the agent that the function leaves: what it had in hand goes back. It may attach again.
static inline void netlib_detach(struct netlib *self)
{
	vmring_store(&self->header->epoch, 0);
	self->epoch = self->agent = 0;
}

/// Leaves, for good.
static inline void netlib_close(struct netlib *self)
{
	netlib_detach(self);
	netlib_unmap(&self->packets);
	netlib_unmap(&self->rings);
}

// MARK: Attaching

/// Tells the agent that the function lives. `netlib_poll` does.
static inline void netlib_beat(struct netlib *self) { vmring_store(&self->header->heartbeat, ++self->beats); }

/// Whether the agent serves this attachment. Not so any more: it has begun anew, or has taken the function for dead.
static inline bool netlib_is_attached(const struct netlib *self)
{
	return self->epoch != 0 && vmring_load(&self->header->attached) == self->epoch;
}

/// The worker of an entry of the list of rings, which is there from now on; NULL: there are too many.
static inline struct netlib_worker *netlib_worker_of(struct netlib *self, const struct vmring_entry *entry)
{
	unsigned i = 0;

	while (i < self->worker_count && (self->workers[i].worker != entry->worker || self->workers[i].queue != entry->queue)) i++;
	if (i == NETLIB_MOST_WORKERS) return NULL;
	if (i == self->worker_count) {
		self->workers[i] = (struct netlib_worker){.worker = entry->worker, .queue = entry->queue};
		self->worker_count++;
	}
	return &self->workers[i];
}

static inline bool netlib_read_rings(struct netlib *self)
{
	const struct vmring_header *header = self->header;
	char text[80];

	if (header->version != VMRING_VERSION) {
		snprintf(text, sizeof text, "the agent's are of version %u, this function's of %u", header->version, VMRING_VERSION);
		return netlib_fail(self->error, "rings", text);
	}
	(self->buffer_size = header->buffer_size, self->port = header->port);
	self->worker_count = 0;
	for (uint32_t i = 0; i < header->ring_count; i++) {
		const struct vmring_entry *entry = &header->rings[i];
		struct netlib_worker *worker;

		if (entry->kind < VMRING_RECEIVE || entry->kind > VMRING_TRANSMIT) continue;
		worker = netlib_worker_of(self, entry);
		if (!worker) return netlib_fail(self->error, "rings", "there are more than 128 workers");
		worker->rings[entry->kind] =
			(struct netlib_ring){.parts = vmring_locate(self->rings.memory + entry->offset), .capacity = entry->capacity};
	}
	for (unsigned i = 0; i < self->worker_count; i++) {
		if (self->workers[i].rings[VMRING_TRANSMIT].capacity == 0)
			return netlib_fail(self->error, "rings", "a worker has none that packets go back by");
	}
	return true;
}

/// Asks the agent to attach, if it has not been asked, and tells whether it has. To be called again until it has, every millisecond or
/// so; also when it has let the function go. False, with a text in `error`: it never will.
static inline bool netlib_attach(struct netlib *self)
{
	struct vmring_header *header = self->header;
	uint64_t agent = vmring_load(&header->agent_epoch);

	self->error[0] = 0;
	if (agent == 0 || header->magic != VMRING_MAGIC) return false;
	if (agent != self->agent || self->was_attached) {
		if (!netlib_read_rings(self)) return false;
		// Another one than the last, and not 0.
		self->epoch = (vmring_load(&header->epoch) + netlib_nanoseconds()) | 1;
		self->agent = agent;
		self->was_attached = false;
		vmring_store32(&header->attach_flags, self->rings.is_on_host ? VMRING_LOCKED : 0);
		vmring_store(&header->seen_epoch, agent);
		vmring_store(&header->epoch, self->epoch);
	}
	netlib_beat(self);
	self->was_attached = netlib_is_attached(self);
	return self->was_attached;
}

// MARK: Packets

static inline struct netlib_worker *netlib_worker_at(struct netlib *self, unsigned index) { return &self->workers[index]; }

static inline struct netlib_ring *netlib_ring_of(struct netlib_worker *worker, enum vmring_kind kind)
{
	return &worker->rings[kind];
}

/// How many packets may be taken from a ring, up to a burst.
static inline unsigned netlib_available(struct netlib_ring *ring)
{
	uint64_t ready;

	if (ring->position == ring->seen && ring->capacity > 0) ring->seen = vmring_load(ring->parts.produced);
	ready = ring->seen - ring->position;
	return ready < NETLIB_BURST ? (unsigned)ready : NETLIB_BURST;
}

/// Takes the next packet. There is one.
static inline struct netlib_packet netlib_take(const struct netlib *self, struct netlib_ring *ring)
{
	struct vmring_words words = vmring_read(ring->parts.descriptors + (ring->position++ & (ring->capacity - 1)));
	uint32_t buffer = (uint32_t)words.place;
	uint8_t *start = self->packets.memory + (size_t)buffer * self->buffer_size;

	return (struct netlib_packet){.data = start + (uint16_t)(words.place >> 32),
		.length = (uint16_t)(words.place >> 48),
		.in_port = (uint32_t)words.rest,
		.buffer = buffer,
		.start = start,
		.size = self->buffer_size};
}

/// Gives a packet back. There is room: the agent hands over no more than the ring holds.
static inline void netlib_give(struct netlib_worker *worker, const struct netlib_packet *packet, uint64_t verdict)
{
	struct netlib_ring *ring = &worker->rings[VMRING_TRANSMIT];

	vmring_write(ring->parts.descriptors + (ring->position++ & (ring->capacity - 1)),
		vmring_place(packet->buffer, (uint16_t)(packet->data - packet->start), packet->length), verdict);
}

/// Lets the agent see what was taken from a ring, and given back.
static inline void netlib_publish(struct netlib_worker *worker, struct netlib_ring *taken)
{
	vmring_store(taken->parts.consumed, taken->position);
	vmring_store(worker->rings[VMRING_TRANSMIT].parts.produced, worker->rings[VMRING_TRANSMIT].position);
}

/// Takes a burst from each worker's ring and gives it back with the verdicts of `decide`; returns how many packets there were. To be
/// called often: it is the heartbeat, too.
static inline unsigned netlib_poll(struct netlib *self, netlib_decide *decide, void *context)
{
	unsigned all = 0;

	netlib_beat(self);
	for (unsigned i = 0; i < self->worker_count; i++) {
		struct netlib_worker *worker = &self->workers[i];
		struct netlib_ring *ring = &worker->rings[VMRING_RECEIVE];
		unsigned count = netlib_available(ring);

		for (unsigned j = 0; j < count; j++) {
			struct netlib_packet packet = netlib_take(self, ring);
			uint64_t verdict = decide(&packet, context);

			netlib_give(worker, &packet, verdict);
		}
		if (count > 0) netlib_publish(worker, ring);
		all += count;
	}
	return all;
}

/// Moves a packet's beginning forward by `bytes`, or backward if that is negative, and its end by `tail`; false, and nothing changes, if
/// it would not lie in its buffer any more.
static inline bool netlib_move(struct netlib_packet *packet, long bytes, long tail)
{
	long offset = packet->data - packet->start + bytes, length = packet->length - bytes + tail;

	if (offset < 0 || length < 0 || offset + length > (long)packet->size) return false;
	packet->data = packet->start + offset;
	packet->length = (uint16_t)length;
	return true;
}

/// Sleeps until there is a packet, but no longer than it takes for the next beat; in a virtual machine, where nobody can end that, for
/// 50 µs.
static inline void netlib_sleep(struct netlib *self)
{
	uint32_t *word = &self->header->need_wakeup;
	uint32_t limit = self->header->heartbeat_limit / 4;
	bool is_empty = netlib_is_attached(self);

	if (self->rings.is_on_host) {
		vmring_before_sleep(word);
		for (unsigned i = 0; i < self->worker_count; i++)
			is_empty = is_empty && netlib_available(&self->workers[i].rings[VMRING_RECEIVE]) == 0;
		if (is_empty)
			vmring_sleep(word, (limit < 1 ? 1 : limit > 100 ? 100 : limit) * 1000000);
		else
			vmring_store32(word, 0);
	} else {
		usleep(50);
	}
	netlib_beat(self);
}

// MARK: The whole of it

/// Polls that find nothing before a function sleeps.
enum { NETLIB_IDLE_POLLS = 10000 };

static volatile sig_atomic_t netlib_is_over;

static inline void netlib_end(int signal)
{
	(void)signal;
	netlib_is_over = 1;
}

/// A function's main loop, until SIGTERM or SIGINT; the status to exit with: 0, or 1 with a word on standard error.
static inline int netlib_run(netlib_decide *decide, void *context)
{
	static struct netlib self;

	signal(SIGTERM, netlib_end);
	signal(SIGINT, netlib_end);
	if (!netlib_open_found(&self)) {
		fprintf(stderr, "%s\n", self.error);
		return 1;
	}
	if (netlib_complaint(&self)) fprintf(stderr, "%s\n", self.error);
	while (!netlib_is_over) {
		unsigned idle = 0;

		if (!netlib_attach(&self)) {
			if (self.error[0]) {
				fprintf(stderr, "%s\n", self.error);
				netlib_close(&self);
				return 1;
			}
			usleep(1000);
			continue;
		}
		fprintf(stderr, "attached as port %u\n", self.port);
		while (!netlib_is_over && netlib_is_attached(&self)) {
			if (netlib_poll(&self, decide, context) > 0)
				idle = 0;
			else if (idle++ < NETLIB_IDLE_POLLS)
				vmring_pause();
			else
				netlib_sleep(&self);
		}
	}
	netlib_close(&self);
	return 0;
}

#endif
