// The whole foreign surface of DPDK: its headers, and accessors for what Swift cannot import: records aligned beyond
// 16 bytes (rte_mbuf arrives as an opaque pointer), function-like macros, thread-local rte_errno, memory orders.
// An accessor is one line and inlines to an instruction or a few; what sleeps or wakes is out of line in cdpdk.c.
#ifndef CDPDK_H
#define CDPDK_H

#include <rte_config.h>

#include <immintrin.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_mempool.h>
#include <rte_pause.h>
#include <rte_prefetch.h>
#include <rte_version.h>
#include <stdbool.h>
#include <stdint.h>

// Packet buffers (rte_mbuf.h)

static inline uint8_t *_Nonnull cdpdk_mbuf_data(const struct rte_mbuf *_Nonnull m) { return rte_pktmbuf_mtod(m, uint8_t *); }
/// Bytes in the first segment: what may be read through cdpdk_mbuf_data.
static inline uint32_t cdpdk_mbuf_data_length(const struct rte_mbuf *_Nonnull m) { return m->data_len; }
/// Bytes of the whole packet.
static inline uint32_t cdpdk_mbuf_packet_length(const struct rte_mbuf *_Nonnull m) { return m->pkt_len; }
static inline uint64_t cdpdk_mbuf_flags(const struct rte_mbuf *_Nonnull m) { return m->ol_flags; }
static inline bool cdpdk_vlan_stripped(uint64_t flags) { return (flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0; }
static inline uint16_t cdpdk_mbuf_vlan_tci(const struct rte_mbuf *_Nonnull m) { return m->vlan_tci; }
static inline void cdpdk_mbuf_clear_flags(struct rte_mbuf *_Nonnull m) { m->ol_flags = 0; }
/// In a packet's flags: actions have said by which queue of a port it is to leave. A flag of our own (rte_mbuf_dyn.h), which
/// drivers clear when they receive, and which copies of the packet have, too. The queue lies where DPDK has a place for it.
#define CDPDK_QUEUE_FLAG RTE_MBUF_F_LAST_FREE
/// Reserves the flag, once the EAL is started; a negative error number if it is taken.
int cdpdk_reserve_queue_flag(void);
static inline void cdpdk_mbuf_set_queue(struct rte_mbuf *_Nonnull m, uint32_t queue)
{
	m->ol_flags |= CDPDK_QUEUE_FLAG;
	m->hash.sched.queue_id = queue;
}
/// All ones if no action has said anything.
static inline uint32_t cdpdk_mbuf_queue(const struct rte_mbuf *_Nonnull m)
{
	return (m->ol_flags & CDPDK_QUEUE_FLAG) != 0 ? m->hash.sched.queue_id : UINT32_MAX;
}
/// A ring (net_ring) hands over packets as they are, so the flag may come from another switch.
static inline bool cdpdk_has_queue(uint64_t flags) { return (flags & CDPDK_QUEUE_FLAG) != 0; }
static inline void cdpdk_mbuf_clear_queue(struct rte_mbuf *_Nonnull m) { m->ol_flags &= ~CDPDK_QUEUE_FLAG; }
/// Makes room for `n` bytes before the packet; null if there is no headroom.
static inline uint8_t *_Nullable cdpdk_mbuf_prepend(struct rte_mbuf *_Nonnull m, uint16_t n)
{
	return (uint8_t *)rte_pktmbuf_prepend(m, n);
}
/// Removes `n` bytes from the front; null if the first segment is shorter.
static inline uint8_t *_Nullable cdpdk_mbuf_remove(struct rte_mbuf *_Nonnull m, uint16_t n)
{
	return (uint8_t *)rte_pktmbuf_adj(m, n);
}
/// Adds `n` bytes at the end; null if there is no tailroom.
static inline uint8_t *_Nullable cdpdk_mbuf_append(struct rte_mbuf *_Nonnull m, uint16_t n)
{
	return (uint8_t *)rte_pktmbuf_append(m, n);
}
static inline struct rte_mbuf *_Nullable cdpdk_mbuf_copy(const struct rte_mbuf *_Nonnull m, struct rte_mempool *_Nonnull pool)
{
	return rte_pktmbuf_copy(m, pool, 0, UINT32_MAX);
}
static inline struct rte_mbuf *_Nullable cdpdk_mbuf_allocate(struct rte_mempool *_Nonnull pool) { return rte_pktmbuf_alloc(pool); }
/// All of them, or none.
static inline bool cdpdk_mbuf_allocate_burst(
	struct rte_mempool *_Nonnull pool, struct rte_mbuf *_Nullable *_Nonnull m, uint32_t n)
{
	return rte_pktmbuf_alloc_bulk(pool, m, n) == 0;
}
static inline void cdpdk_mbuf_free(struct rte_mbuf *_Nonnull m) { rte_pktmbuf_free(m); }
static inline void cdpdk_mbuf_free_burst(struct rte_mbuf *_Nullable *_Nonnull m, uint32_t n) { rte_pktmbuf_free_bulk(m, n); }
/// The beginning of the buffer that the packet lies in, and where in it the packet begins.
static inline void *_Nonnull cdpdk_mbuf_buffer(const struct rte_mbuf *_Nonnull m) { return m->buf_addr; }
static inline uint16_t cdpdk_mbuf_offset(const struct rte_mbuf *_Nonnull m) { return m->data_off; }
static inline struct rte_mempool *_Nonnull cdpdk_mbuf_pool(const struct rte_mbuf *_Nonnull m) { return m->pool; }
/// Makes the packet one of `length` bytes at `offset` of its only buffer, of which nothing else is known.
static inline void cdpdk_mbuf_place(struct rte_mbuf *_Nonnull m, uint16_t offset, uint16_t length)
{
	m->data_off = offset;
	m->data_len = length;
	m->pkt_len = length;
	m->ol_flags = 0;
}
/// Makes a packet count as one in a buffer of its pool's own, although that lies elsewhere: the buffer stays with the packet all the
/// same, and no more is to be done when it is freed.
static inline void cdpdk_mbuf_own_buffer(struct rte_mbuf *_Nonnull m) { m->ol_flags &= ~RTE_MBUF_F_EXTERNAL; }
/// Whether a packet lies in a buffer that is not behind its mbuf, but in memory of a trust group.
static inline bool cdpdk_mbuf_is_elsewhere(const struct rte_mbuf *_Nonnull m)
{
	return m->buf_addr != rte_mbuf_to_baddr((struct rte_mbuf *)(uintptr_t)m);
}
static inline const void *_Nonnull cdpdk_mbuf_read(
	const struct rte_mbuf *_Nonnull m, uint32_t offset, uint32_t length, void *_Nonnull buffer)
{
	return rte_pktmbuf_read(m, offset, length, buffer);
}

// Devices (rte_ethdev.h)

static inline uint16_t cdpdk_receive(uint16_t port, uint16_t queue, struct rte_mbuf *_Nullable *_Nonnull m, uint16_t n)
{
	return rte_eth_rx_burst(port, queue, m, n);
}
static inline uint16_t cdpdk_transmit(uint16_t port, uint16_t queue, struct rte_mbuf *_Nullable *_Nonnull m, uint16_t n)
{
	return rte_eth_tx_burst(port, queue, m, n);
}
static inline int cdpdk_errno(void) { return rte_errno; }
static inline uint64_t cdpdk_rss_any(void) { return RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_SCTP; }

// The processor

static inline uint64_t cdpdk_tsc(void) { return rte_rdtsc(); }
static inline void cdpdk_pause(void) { rte_pause(); }
static inline void cdpdk_prefetch(const void *_Nonnull p) { rte_prefetch0(p); }
static inline uint32_t cdpdk_crc32c(uint32_t seed, uint64_t word) { return (uint32_t)_mm_crc32_u64(seed, word); }
static inline uint32_t cdpdk_crc32c_byte(uint32_t seed, uint8_t byte) { return _mm_crc32_u8(seed, byte); }
/// Which of a bucket's eight slots have `tag` in their upper 16 bits: the highest two bits of the slot's byte are set.
static inline uint64_t cdpdk_match_tags(const uint64_t *_Nonnull bucket, uint16_t tag)
{
	__m256i wanted = _mm256_set1_epi16((short)tag);
	__m256i low = _mm256_cmpeq_epi16(_mm256_loadu_si256((const __m256i *)bucket), wanted);
	__m256i high = _mm256_cmpeq_epi16(_mm256_loadu_si256((const __m256i *)(bucket + 4)), wanted);
	uint64_t bytes = (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
	return bytes & 0xc0c0c0c0c0c0c0c0;
}
/// Whether the vectors of four words at `a` and `b` are the same in the bits of `mask`.
static inline bool cdpdk_same_under(const void *_Nonnull a, const void *_Nonnull b, const void *_Nonnull mask)
{
	__m256i difference = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)a), _mm256_loadu_si256((const __m256i *)b));
	return _mm256_testz_si256(difference, _mm256_loadu_si256((const __m256i *)mask)) != 0;
}
/// The lowest of the 32 bytes at `p`.
static inline uint8_t cdpdk_lowest_byte(const uint8_t *_Nonnull p)
{
	__m128i halves = _mm_min_epu8(_mm_loadu_si128((const __m128i *)p), _mm_loadu_si128((const __m128i *)(p + 16)));
	return (uint8_t)_mm_cvtsi128_si32(_mm_minpos_epu16(_mm_min_epu8(halves, _mm_srli_epi16(halves, 8))));
}
/// Which of the 32 bytes at `p` are `value`, a bit for each; they become all ones.
static inline uint32_t cdpdk_take_bytes(uint8_t *_Nonnull p, uint8_t value)
{
	__m256i bytes = _mm256_loadu_si256((const __m256i *)p);
	__m256i same = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8((char)value));
	_mm256_storeu_si256((__m256i *)p, _mm256_or_si256(bytes, same));
	return (uint32_t)_mm256_movemask_epi8(same);
}
/// True if this processor has what the code was compiled for (x86-64-v3).
bool cdpdk_processor_suffices(void);

// Words that two threads share. One side writes each; `publish` orders what was written before, `observe` what is read after.

static inline uint64_t cdpdk_observe(const uint64_t *_Nonnull p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline void cdpdk_publish(uint64_t *_Nonnull p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
static inline uint64_t cdpdk_load(const uint64_t *_Nonnull p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }

// Sleeping and waking, out of line: the one place where a worker makes system calls of its own.

/// Says in `word` that the thread is about to sleep, with the fence that the handshake needs: look once more at what would wake you.
void cdpdk_before_sleep(uint32_t *_Nonnull word);
/// Sleeps until one of the `count` descriptors is readable, cdpdk_wake is called on `word`, or `nanoseconds` have passed. The first
/// descriptor is the one that cdpdk_wake writes to.
void cdpdk_sleep(uint32_t *_Nonnull word, struct pollfd *_Nonnull descriptors, uint32_t count, uint32_t nanoseconds);
/// Wakes the thread that sleeps on `word`, if one does, by its event descriptor `fd`. Orders what was published before against its
/// last look.
void cdpdk_wake(uint32_t *_Nonnull word, int fd);
/// An event descriptor (eventfd(2)) that does not block and is closed on exec; -1 with errno if there is none.
int cdpdk_event(void);
/// Writes a byte into the pipe `fd` if the other side has armed `word`; disarms it. Orders like cdpdk_wake.
void cdpdk_notify(uint32_t *_Nonnull word, int fd);
/// Wakes the process that sleeps on `word` (futex(2)) in shared memory, if it says that it does. Orders like cdpdk_wake.
bool cdpdk_wake_process(uint32_t *_Nonnull word);
/// Arms `word` for one cdpdk_notify, with the fence that the handshake needs: look once more at what you wait for.
void cdpdk_arm(uint32_t *_Nonnull word);
/// A pipe whose ends do not block and are closed on exec; -1 with errno if there is none. (glibc's pipe2 needs _GNU_SOURCE.)
int cdpdk_pipe(int fds[_Nonnull 2]);
/// Makes the calling thread's short sleeps exact (the kernel's default is 50 µs more than asked for).
void cdpdk_exact_timers(void);
/// Lets what memory the calling thread touches first, and threads that it makes later, lie on a socket (NUMA node) as far as there is
/// room; -1 with errno if it cannot. (libnuma has no more than the system call for this.)
int cdpdk_prefer_socket(unsigned socket);
/// The kernel's number of the calling thread.
int cdpdk_thread(void);
/// Lets the calling thread run on one core only; -1 with errno if it cannot. (glibc's sched_setaffinity needs _GNU_SOURCE.)
int cdpdk_run_on(int core);
/// Gives back the pages of a part of a file; -1 with errno if it cannot. (glibc's fallocate needs _GNU_SOURCE.)
int cdpdk_release(int file, uint64_t offset, uint64_t length);
/// Whether somebody else has a file open for writing, or mapped it so. (F_SETLEASE needs _GNU_SOURCE.)
bool cdpdk_is_open_elsewhere(int file);
/// Lets the process's heap grow by 16 MiB at a time. The control side allocates on one thread, and in an arena of that thread's
/// own the C library would ask the kernel for every few pages that rules need.
void cdpdk_heap_in_steps(void);

#endif
