// What goes through a function: packets, messages, and packets of its own.
#ifndef NETLIB_PACKETS_H
#define NETLIB_PACKETS_H

#include "netlib_attach.h"

/// A packet, where the agent put it. A function may write to it, and move its beginning and its end within its buffer.
struct netlib_packet {
	/// The Ethernet header and what follows it, good until the verdict.
	uint8_t *data;
	/// In bytes, without frame check sequence.
	uint16_t length;
	/// The OpenFlow port where it came in, or whose function sent the message; 0: none.
	uint32_t in_port;
	/// The queue that it came by; 0 unless the port has several.
	unsigned queue;
	/// The number of its buffer: the same in all functions of the group that it goes through.
	uint32_t buffer;
	/// Its buffer: where that begins, and its bytes. Shared memory: other functions of the group see it as well.
	uint8_t *start;
	uint32_t size;
};

/// Verdicts. Drop it · look it up again: it comes in by the function's port · output it to an OpenFlow port, past the rules · it is a
/// message to the function of the same group at an OpenFlow port.
#define NETLIB_DROP ((uint64_t)VMRING_DROP << 32)
#define NETLIB_NEXT ((uint64_t)VMRING_NEXT << 32)
#define NETLIB_OUT(port) ((uint64_t)VMRING_OUT << 32 | (uint32_t)(port))
#define NETLIB_FUNCTION(service) ((uint64_t)VMRING_FUNCTION << 32 | (uint32_t)(service))
#define NETLIB_MESSAGE(port) ((uint64_t)VMRING_MESSAGE << 32 | (uint32_t)(port))

/// Says what becomes of a packet, of a message, or of what it has made in an empty buffer.
typedef uint64_t netlib_decide(struct netlib_packet *packet, void *context);

enum {
	/// Packets that are taken at a time.
	NETLIB_BURST = 32,
	/// Bytes of the longest packet or message.
	NETLIB_LONGEST = 2048,
};

// MARK: Taking and giving

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
static inline struct netlib_packet netlib_take(const struct netlib *self, const struct netlib_worker *worker, struct netlib_ring *ring)
{
	struct vmring_words words = vmring_read(ring->parts.descriptors + (ring->position++ & (ring->capacity - 1)));
	uint32_t buffer = (uint32_t)words.place;
	uint8_t *start = self->packets.memory + (size_t)buffer * self->buffer_size;

	return (struct netlib_packet){.data = start + (uint16_t)(words.place >> 32),
		.length = (uint16_t)(words.place >> 48),
		.in_port = (uint32_t)words.rest,
		.queue = worker->queue,
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

/// Lets the agent see what was made. `netlib_poll` and `netlib_sleep` do.
static inline void netlib_flush(struct netlib *self)
{
	struct netlib_worker *worker = &self->workers[self->maker];

	if (self->made > 0) netlib_publish(worker, &worker->rings[VMRING_EMPTY]);
	self->made = 0;
}

static inline unsigned netlib_poll_rings(struct netlib *self, enum vmring_kind kind, netlib_decide *decide, void *context)
{
	unsigned all = 0;

	for (unsigned i = 0; i < self->worker_count; i++) {
		struct netlib_worker *worker = &self->workers[i];
		struct netlib_ring *ring = &worker->rings[kind];
		unsigned count = netlib_available(ring);

		for (unsigned j = 0; j < count; j++) {
			struct netlib_packet packet = netlib_take(self, worker, ring);
			uint64_t verdict = decide(&packet, context);

			netlib_give(worker, &packet, verdict);
		}
		if (count > 0) netlib_publish(worker, ring);
		all += count;
	}
	return all;
}

/// Takes a burst of packets from each worker and gives it back with the verdicts of `decide`; returns how many there were. To be called
/// often: it is the heartbeat, too.
static inline unsigned netlib_poll(struct netlib *self, netlib_decide *decide, void *context)
{
	netlib_flush(self);
	netlib_beat(self);
	return netlib_poll_rings(self, VMRING_RECEIVE, decide, context);
}

/// The same with messages.
static inline unsigned netlib_poll_messages(struct netlib *self, netlib_decide *decide, void *context)
{
	return netlib_poll_rings(self, VMRING_MESSAGES, decide, context);
}

/// Moves a packet's beginning forward by `bytes`, or backward if that is negative, and its end by `tail`; false, and nothing changes, if
/// it would not lie in its buffer any more, or be longer than NETLIB_LONGEST.
static inline bool netlib_move(struct netlib_packet *packet, long bytes, long tail)
{
	long offset = packet->data - packet->start + bytes, length = packet->length - bytes + tail;

	if (offset < 0 || length < 0 || length > NETLIB_LONGEST || offset + length > (long)packet->size) return false;
	packet->data = packet->start + offset;
	packet->length = (uint16_t)length;
	return true;
}

// MARK: Making packets

/// A worker of which there is an empty buffer; NULL: of none.
static inline struct netlib_worker *netlib_maker(struct netlib *self)
{
	self->wants_empty = false;
	for (unsigned i = 0; i < self->worker_count; i++) {
		struct netlib_worker *worker = &self->workers[self->maker];

		if (netlib_available(&worker->rings[VMRING_EMPTY]) > 0) return worker;
		netlib_flush(self);
		self->maker = (self->maker + 1) % self->worker_count;
	}
	self->wants_empty = true;
	return NULL;
}

/// Gives away what was made in an empty buffer of `netlib_maker`; the agent sees it with others.
static inline void netlib_give_made(struct netlib *self, struct netlib_worker *worker, const struct netlib_packet *packet, uint64_t verdict)
{
	netlib_give(worker, packet, verdict);
	if (++self->made == NETLIB_BURST) netlib_flush(self);
}

/// Takes an empty buffer, and gives it away with the verdict of `fill`, which writes up to NETLIB_LONGEST bytes to `data` and says in
/// `length` how many. False: there is none; the agent hands out more as it takes what was given.
static inline bool netlib_make(struct netlib *self, netlib_decide *fill, void *context)
{
	struct netlib_worker *worker = netlib_maker(self);
	struct netlib_packet packet;

	if (!worker) return false;
	packet = netlib_take(self, worker, &worker->rings[VMRING_EMPTY]);
	netlib_give_made(self, worker, &packet, fill(&packet, context));
	return true;
}

/// Sends bytes to the function of the same group at an OpenFlow port; false: there is no empty buffer, or they are more than
/// NETLIB_LONGEST. If the receiver has no room the agent drops them.
static inline bool netlib_message(struct netlib *self, uint32_t port, const void *bytes, size_t length)
{
	struct netlib_worker *worker = length <= NETLIB_LONGEST ? netlib_maker(self) : NULL;
	struct netlib_packet packet;

	if (!worker) return false;
	packet = netlib_take(self, worker, &worker->rings[VMRING_EMPTY]);
	packet.length = (uint16_t)length;
	memcpy(packet.data, bytes, length);
	netlib_give_made(self, worker, &packet, NETLIB_MESSAGE(port));
	return true;
}

// MARK: Sleeping

/// Whether there is nothing to do. Of empty buffers that have come it is told once: the function may not want them any more.
static inline bool netlib_is_idle(struct netlib *self)
{
	for (unsigned i = 0; i < self->worker_count; i++) {
		struct netlib_ring *rings = self->workers[i].rings;

		if (netlib_available(&rings[VMRING_RECEIVE]) > 0 || netlib_available(&rings[VMRING_MESSAGES]) > 0) return false;
		if (self->wants_empty && netlib_available(&rings[VMRING_EMPTY]) > 0) {
			self->wants_empty = false;
			return false;
		}
	}
	return netlib_is_attached(self);
}

/// Sleeps until there is a packet, a message, or an empty buffer if one was wanted, but no longer than it takes for the next beat; in a
/// virtual machine, where nobody can end that, for 50 µs.
static inline void netlib_sleep(struct netlib *self)
{
	uint32_t *word = vmring_sleep_word(self->header, self->queue);
	uint32_t limit = self->header->heartbeat_limit / 4;

	netlib_flush(self);
	if (self->rings.is_on_host) {
		vmring_before_sleep(word);
		if (netlib_is_idle(self))
			vmring_sleep(word, (limit < 1 ? 1 : limit > 100 ? 100 : limit) * 1000000);
		else
			vmring_store32(word, 0);
	} else {
		usleep(50);
	}
	netlib_beat(self);
}

#endif
