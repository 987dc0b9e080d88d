// A function's side of its port: opens the memory, tells the agent that it is there and that it lives, sees when the agent has let it go.
#ifndef NETLIB_ATTACH_H
#define NETLIB_ATTACH_H

#include "netlib_memory.h"

/// As many as DPDK has (RTE_MAX_LCORE); fewer, if there are several queues with each.
enum { NETLIB_MOST_WORKERS = 128 };

/// Nanoseconds to wait for the agent's answer.
enum { NETLIB_ASK_AGAIN = 1000000000 };

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

/// The rings that a function shares with one worker, of one queue.
struct netlib_worker {
	uint16_t worker, queue;
	/// By vmring_kind.
	struct netlib_ring rings[VMRING_MESSAGES + 1];
};

/// A function's side of one port. For one thread; of a function with a thread for each queue each has a part of its own (`netlib_share`).
struct netlib {
	struct netlib_region packets, rings;
	struct vmring_header *header;
	uint32_t buffer_size;
	/// The port's OpenFlow number, once it is attached.
	uint32_t port;
	/// To be set before it attaches, and not changed: each queue is served by a thread of its own.
	bool has_threads;
	/// Once it is attached: with each worker.
	unsigned queue_count;
	/// Why something failed.
	char error[NETLIB_TEXT];

	// The rest is for the functions here.
	/// The first one that is served.
	unsigned queue;
	uint64_t epoch, agent, beats;
	/// When the agent was last asked to attach, in nanoseconds.
	uint64_t asked;
	bool was_attached;
	/// The worker whose empty buffers are used at present, how many have been given away that it was not shown yet, and whether none was
	/// found when one was wanted.
	unsigned maker, made;
	bool wants_empty;
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
	self->worker_count = self->queue_count = self->maker = self->made = 0;
	self->wants_empty = false;
	for (uint32_t i = 0; i < header->ring_count; i++) {
		const struct vmring_entry *entry = &header->rings[i];
		struct netlib_worker *worker;

		if (entry->kind < VMRING_RECEIVE || entry->kind > VMRING_MESSAGES) continue;
		worker = netlib_worker_of(self, entry);
		if (!worker || entry->queue >= VMRING_QUEUES)
			return netlib_fail(self->error, "rings", "there are more than 128 for workers and queues, or more than 16 queues");
		if (entry->queue >= self->queue_count) self->queue_count = entry->queue + 1u;
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
///
/// Each second it is asked anew: it may have attached the function and, as that had no processor meanwhile, taken it for dead.
static inline bool netlib_attach(struct netlib *self)
{
	struct vmring_header *header = self->header;
	uint64_t agent = vmring_load(&header->agent_epoch), now = netlib_nanoseconds();

	self->error[0] = 0;
	if (agent == 0 || header->magic != VMRING_MAGIC) return false;
	if (agent != self->agent || self->was_attached || (!netlib_is_attached(self) && now - self->asked > NETLIB_ASK_AGAIN)) {
		if (!netlib_read_rings(self)) return false;
		// Another one than the last, and not 0.
		self->epoch = (vmring_load(&header->epoch) + now) | 1;
		(self->agent = agent, self->asked = now);
		self->was_attached = false;
		vmring_store32(&header->attach_flags, (self->rings.is_on_host ? VMRING_LOCKED : 0) | (self->has_threads ? VMRING_THREADS : 0));
		vmring_store(&header->seen_epoch, agent);
		vmring_store(&header->epoch, self->epoch);
	}
	netlib_beat(self);
	self->was_attached = netlib_is_attached(self);
	return self->was_attached;
}

/// The part of an attached function that serves one queue, for a thread of its own. It is of use as long as this attachment lasts.
static inline void netlib_share(struct netlib *part, const struct netlib *whole, unsigned queue)
{
	*part = *whole;
	part->queue = queue;
	// No thread's beats are another one's.
	part->beats = (uint64_t)(queue + 1) << 48;
	part->worker_count = 0;
	for (unsigned i = 0; i < whole->worker_count; i++)
		if (whole->workers[i].queue == queue) part->workers[part->worker_count++] = whole->workers[i];
}

#endif
