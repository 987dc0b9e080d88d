// Sleeping and waking between a worker and the control thread. Each handshake is Dekker's: one side raises its word,
// fences, and looks at what the other publishes; the other publishes, fences, and looks at the word.
#define _GNU_SOURCE
#include "cdpdk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/mempolicy.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

bool cdpdk_processor_suffices(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"); }

int cdpdk_reserve_queue_flag(void)
{
	const struct rte_mbuf_dynflag flag = {.name = "ringway_queue"};

	return rte_mbuf_dynflag_register_bitnum(&flag, (unsigned)__builtin_ctzll(CDPDK_QUEUE_FLAG)) < 0 ? -rte_errno : 0;
}

void cdpdk_before_sleep(uint32_t *word) { __atomic_store_n(word, 1, __ATOMIC_SEQ_CST); }

void cdpdk_sleep(uint32_t *word, struct pollfd *descriptors, uint32_t count, uint32_t nanoseconds)
{
	struct timespec limit = {.tv_sec = 0, .tv_nsec = nanoseconds};
	uint64_t ignored;

	if (ppoll(descriptors, count, &limit, NULL) > 0 && descriptors[0].revents != 0)
		(void)!read(descriptors[0].fd, &ignored, sizeof ignored);
	__atomic_store_n(word, 0, __ATOMIC_RELAXED);
}

void cdpdk_wake(uint32_t *word, int fd)
{
	const uint64_t one = 1;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(word, __ATOMIC_RELAXED) != 0 && __atomic_exchange_n(word, 0, __ATOMIC_SEQ_CST) != 0)
		(void)!write(fd, &one, sizeof one);
}

int cdpdk_event(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

void cdpdk_arm(uint32_t *word) { __atomic_store_n(word, 1, __ATOMIC_SEQ_CST); }

void cdpdk_notify(uint32_t *word, int fd)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(word, __ATOMIC_RELAXED) == 0)
		return;
	__atomic_store_n(word, 0, __ATOMIC_RELAXED);
	ssize_t ignored = write(fd, "", 1); // a full pipe wakes the reader as well
	(void)ignored;
}

bool cdpdk_wake_process(uint32_t *word)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(word, __ATOMIC_RELAXED) == 0)
		return false;
	__atomic_store_n(word, 0, __ATOMIC_RELAXED);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
	return true;
}

int cdpdk_pipe(int fds[2]) { return pipe2(fds, O_NONBLOCK | O_CLOEXEC); }

void cdpdk_exact_timers(void) { prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); }

int cdpdk_release(int file, uint64_t offset, uint64_t length)
{
	return fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)length);
}

bool cdpdk_is_open_elsewhere(int file)
{
	// A lease is given to who is alone. Who opens the file at that moment waits until it is taken back, and the kernel sends a signal
	// because of that: one that nobody minds.
	fcntl(file, F_SETSIG, SIGURG);
	if (fcntl(file, F_SETLEASE, F_WRLCK) != 0) return true;
	fcntl(file, F_SETLEASE, F_UNLCK);
	return false;
}

int cdpdk_prefer_socket(unsigned socket)
{
	unsigned long nodes[1024 / (8 * sizeof(unsigned long))] = {0};

	if (socket >= 1024) return -1;
	nodes[socket / (8 * sizeof *nodes)] |= 1UL << socket % (8 * sizeof *nodes);
	// One more than there are: the kernel takes one less than it is told (set_mempolicy(2)).
	return (int)syscall(SYS_set_mempolicy, MPOL_PREFERRED, nodes, 1024UL + 1);
}

int cdpdk_thread(void) { return (int)syscall(SYS_gettid); }

int cdpdk_run_on(int core)
{
	cpu_set_t cores;

	if (core < 0 || core >= CPU_SETSIZE) {
		errno = EINVAL;
		return -1;
	}
	CPU_ZERO(&cores);
	CPU_SET(core, &cores);
	return sched_setaffinity(0, sizeof cores, &cores);
}

void cdpdk_heap_in_steps(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TOP_PAD, 16 << 20);
}
