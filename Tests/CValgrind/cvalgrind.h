// Requests to callgrind (valgrind/callgrind.h has them as macros, which Swift does not import). Without valgrind they do nothing.
#ifndef CVALGRIND_H
#define CVALGRIND_H

#include <stdbool.h>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_STOP_INSTRUMENTATION
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_DUMP_STATS_AT(name) ((void)(name))
#endif

/// Whether the program runs under valgrind, and was compiled where valgrind's headers were.
static inline bool cvalgrind_is_running(void) { return RUNNING_ON_VALGRIND != 0; }

/// From now on callgrind counts, from 0.
static inline void cvalgrind_begin(void)
{
	CALLGRIND_START_INSTRUMENTATION;
	CALLGRIND_ZERO_STATS;
}

/// Writes down what was counted since cvalgrind_begin, under this name, and counts no more.
static inline void cvalgrind_end(const char *_Nonnull name)
{
	CALLGRIND_DUMP_STATS_AT(name);
	CALLGRIND_STOP_INSTRUMENTATION;
}

#endif
