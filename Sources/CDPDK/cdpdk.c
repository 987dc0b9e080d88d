// Sleeping and waking between a worker and the control thread. Each handshake is Dekker's: one side raises its word,
// fences, and looks at what the other publishes; the other publishes, fences, and looks at the word.
#define _GNU_SOURCE
#include "cdpdk.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

bool cdpdk_processor_suffices(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"); }

void cdpdk_sleep(uint32_t *word, const uint64_t *unless, uint64_t seen, uint32_t nanoseconds)
{
	struct timespec limit = {.tv_sec = 0, .tv_nsec = nanoseconds};
	__atomic_store_n(word, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(unless, __ATOMIC_SEQ_CST) == seen)
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 1, &limit, NULL, 0);
	__atomic_store_n(word, 0, __ATOMIC_RELAXED);
}

void cdpdk_wake(uint32_t *word)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(word, __ATOMIC_RELAXED) != 0 && __atomic_exchange_n(word, 0, __ATOMIC_SEQ_CST) != 0)
		syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

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

int cdpdk_pipe(int fds[2]) { return pipe2(fds, O_NONBLOCK | O_CLOEXEC); }

void cdpdk_exact_timers(void) { prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); }
