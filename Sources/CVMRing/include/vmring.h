// The contract between the agent and a network function, in a virtual machine or in a process: two regions of shared memory,
// and who writes what in them. All numbers are in the host's byte order (x86-64: little-endian).
//
//   packets   one for each trust group: `buffer_count` buffers of `buffer_size` bytes, one behind the other, and nothing else.
//             Every VM of the group maps it.
//   rings     one for each VM, which it alone maps: a `vmring_header`, the list of its rings, and the rings.
//
// A ring has one producer and one consumer. A buffer is owned by one side at a time: whose descriptor is in a ring to the VM
// has been handed to the VM, which gives it back by a descriptor in the ring of the same worker and queue to the agent.
// Descriptors come back in any order, whichever ring they came by. A VM writes to buffers that it owns, to the positions and
// descriptors that are its own, and to its part of the header. Whatever else it writes hurts nobody but its own group.
//
// A VM makes a packet in an empty buffer, and gives that back with a verdict like any other. Any buffer that it owns it may give back
// with VMRING_MESSAGE: then the agent hands it to another VM of the group, which gives it back in its turn.
#ifndef VMRING_H
#define VMRING_H

#include <fcntl.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef __clang__
#define _Nonnull
#endif

/// The first word of a region of rings, "vmringv1" in memory.
#define VMRING_MAGIC 0x3176676e69726d76ULL
#define VMRING_VERSION 3u
/// The most queues that a VM has with each worker.
#define VMRING_QUEUES 16u
/// Bytes of either file: at 4 GiB, a guest's firmware puts the device's memory above 4 GiB, where it is mapped write-back. The
/// files are sparse; only their beginnings are used.
#define VMRING_FILE_SIZE 0x100000000ULL

/// What a VM says of a packet that it gives back.
enum vmring_verdict {
	/// Free the buffer.
	VMRING_DROP = 0,
	/// Look the packet up again: it comes in by the VM's port.
	VMRING_NEXT = 1,
	/// Output it to the port that the descriptor names, whatever the rules say.
	VMRING_OUT = 2,
	/// Output it to the service that the descriptor names by its port's number: to one of its replicas.
	VMRING_FUNCTION = 3,
	/// Not a packet, but a message: it goes to the VM, of the same group, whose port the descriptor names.
	VMRING_MESSAGE = 4,
};

/// One packet on its way, in either direction.
struct vmring_descriptor {
	/// Index of the buffer in the packet region.
	uint32_t buffer;
	/// Where the packet or message begins, in bytes from the buffer's beginning, and its bytes: within the buffer, and 2,048 at most.
	uint16_t offset;
	uint16_t length;
	/// An OpenFlow port. To the VM: where the packet came in, or who sent the message; 0: none. From the VM: of VMRING_OUT,
	/// VMRING_FUNCTION and VMRING_MESSAGE; 0 with other verdicts.
	uint32_t port;
	/// From the VM: a vmring_verdict.
	uint8_t verdict;
	uint8_t flags;
	uint16_t reserved;
};

enum vmring_kind {
	/// From the agent to the VM: packets.
	VMRING_RECEIVE = 1,
	/// From the VM to the agent: all that it gives back. It holds as many descriptors as the other rings together, so that there is always
	/// room.
	VMRING_TRANSMIT = 2,
	/// From the agent to the VM: empty buffers, for packets that the VM makes. The agent hands out more as they are given back. `length`
	/// is 0, and `offset` leaves room for headers. Only if the configuration lets the VM have any.
	VMRING_EMPTY = 3,
	/// From the agent to the VM: messages. Only if the configuration lets the VM have any.
	VMRING_MESSAGES = 4,
};

/// An entry of the list of rings, written by the agent.
struct vmring_entry {
	/// A vmring_kind. A VM ignores what it does not know.
	uint16_t kind;
	/// The VM's queue: packets of a connection, in both directions, all come by the same one, messages by the first.
	uint16_t queue;
	/// The worker at the other end.
	uint16_t worker;
	uint16_t reserved;
	/// Descriptors: a power of two.
	uint64_t capacity;
	/// Where the ring lies, in bytes from the beginning of the region.
	uint64_t offset;
};

/// The beginning of a region of rings.
struct vmring_header {
	// Written by the agent.
	uint64_t magic;
	uint32_t version;
	/// Entries of the list.
	uint32_t ring_count;
	/// A number of its own for each life of the agent; 0 while the region is being made, and when it is of no use any more.
	uint64_t agent_epoch;
	/// The VM epoch that is attached; 0: none.
	uint64_t attached;
	/// Bytes of the packet region in use.
	uint64_t packet_bytes;
	/// Bytes of one buffer.
	uint32_t buffer_size;
	uint32_t buffer_count;
	/// The VM's OpenFlow port number.
	uint32_t port;
	/// Milliseconds without a beat after which the VM is taken for dead.
	uint32_t heartbeat_limit;
	uint8_t agent_rest[128 - 56];

	// Written by the VM.
	/// A number of its own for each attachment, not 0; written last, after `seen_epoch` and `attach_flags`.
	uint64_t epoch;
	/// The agent epoch that it attaches to.
	uint64_t seen_epoch;
	/// Changes while the VM lives.
	uint64_t heartbeat;
	/// Bits: VMRING_LOCKED, VMRING_THREADS.
	uint32_t attach_flags;
	uint8_t vm_rest[128 - 28];

	/// Not 0: the VM sleeps on this word (futex(2)), and wants to be woken when there is something in a ring: in any, the first word;
	/// with VMRING_THREADS, in one of that queue. By themselves, because workers look at them with each burst.
	uint32_t need_wakeup[VMRING_QUEUES];
	uint8_t sleep_rest[128 - 4 * VMRING_QUEUES];

	struct vmring_entry rings[];
};

/// In `attach_flags`: a process that holds a lock (fcntl(2), F_OFD_SETLK) for writing of the first byte of the file for as long as
/// it is attached. It may sleep on `need_wakeup`.
#define VMRING_LOCKED 1u
/// In `attach_flags`: a thread for each queue, which sleeps by itself.
#define VMRING_THREADS 2u

/// Positions count descriptors for ever; where one lies is the position modulo the capacity. Positions lie 128 bytes apart,
/// because processors fetch cache lines in pairs.
struct vmring_ring {
	/// Descriptors produced: written by the producer, after them.
	uint64_t produced;
	uint8_t producer_rest[128 - 8];
	/// Descriptors consumed: written by the consumer.
	uint64_t consumed;
	uint8_t consumer_rest[128 - 8];
	struct vmring_descriptor descriptors[];
};

_Static_assert(sizeof(struct vmring_descriptor) == 16, "four descriptors a cache line");
_Static_assert(sizeof(struct vmring_entry) == 24, "");
_Static_assert(sizeof(struct vmring_header) == 384, "");
_Static_assert(sizeof(struct vmring_ring) == 256, "");

// Each reads a shared word once, so that what has been checked is what is used.

static inline uint64_t vmring_load(const uint64_t *_Nonnull word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static inline uint32_t vmring_load32(const uint32_t *_Nonnull word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static inline void vmring_store(uint64_t *_Nonnull word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }
static inline void vmring_store32(uint32_t *_Nonnull word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }

/// A descriptor as two words of 8 bytes: buffer, offset and length from the lowest bits up; then port, verdict and flags.
struct vmring_words {
	uint64_t place;
	uint64_t rest;
};

static inline struct vmring_words vmring_read(const struct vmring_descriptor *_Nonnull descriptor)
{
	const uint64_t *words = (const uint64_t *)(const void *)descriptor;
	struct vmring_words copy = {__atomic_load_n(words, __ATOMIC_RELAXED), __atomic_load_n(words + 1, __ATOMIC_RELAXED)};
	return copy;
}

static inline void vmring_write(struct vmring_descriptor *_Nonnull descriptor, uint64_t place, uint64_t rest)
{
	uint64_t *words = (uint64_t *)(void *)descriptor;
	__atomic_store_n(words, place, __ATOMIC_RELAXED);
	__atomic_store_n(words + 1, rest, __ATOMIC_RELAXED);
}

/// The first word of a descriptor.
static inline uint64_t vmring_place(uint32_t buffer, uint16_t offset, uint16_t length)
{
	return buffer | (uint64_t)offset << 32 | (uint64_t)length << 48;
}

/// Where the parts of a vmring_ring lie.
struct vmring_parts {
	uint64_t *_Nonnull produced;
	uint64_t *_Nonnull consumed;
	struct vmring_descriptor *_Nonnull descriptors;
};

static inline struct vmring_parts vmring_locate(void *_Nonnull ring)
{
	struct vmring_ring *found = (struct vmring_ring *)ring;
	struct vmring_parts parts = {&found->produced, &found->consumed, found->descriptors};
	return parts;
}

/// The word that is slept on for something in a ring of that queue, below VMRING_QUEUES.
static inline uint32_t *_Nonnull vmring_sleep_word(struct vmring_header *_Nonnull header, unsigned queue)
{
	return &header->need_wakeup[vmring_load32(&header->attach_flags) & VMRING_THREADS ? queue : 0];
}

// The lock of VMRING_LOCKED, on a descriptor of the file of rings. F_OFD_GETLK and F_OFD_SETLK are 36 and 37 on Linux; glibc shows
// them to GNU sources only.

/// Takes it, until the file is closed; false if another process has it.
static inline bool vmring_lock(int file)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
	return fcntl(file, 37, &lock) == 0;
}

/// Whether another process holds it.
static inline bool vmring_is_locked(int file)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
	return fcntl(file, 36, &lock) == 0 && lock.l_type != F_UNLCK;
}

/// Tells the processor that a loop waits.
static inline void vmring_pause(void) { __builtin_ia32_pause(); }

// Sleeping. The sleeper raises its word, looks at the rings once more, and waits; the agent publishes and then looks at the word,
// clears it, and wakes (FUTEX_WAKE) who sleeps there. A fence keeps each side's look behind its own store.

/// The VM is about to sleep: look at the rings once more after this.
static inline void vmring_before_sleep(uint32_t *_Nonnull word) { __atomic_store_n(word, 1, __ATOMIC_SEQ_CST); }

/// Sleeps until the word is woken, but at most so many nanoseconds (below a second).
static inline void vmring_sleep(uint32_t *_Nonnull word, uint32_t nanoseconds)
{
	struct timespec limit = {0, nanoseconds};
	syscall(SYS_futex, word, FUTEX_WAIT, 1, &limit, (void *)0, 0);
	__atomic_store_n(word, 0, __ATOMIC_RELAXED);
}

#endif
