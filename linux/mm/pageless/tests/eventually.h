/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Waiting for other threads in KUnit tests. A virtual CPU may be held up by its host for
 * many seconds, so there is no limit that says more than that something hangs.
 */
#ifndef _PAGELESS_TESTS_EVENTUALLY_H
#define _PAGELESS_TESTS_EVENTUALLY_H

#include <linux/delay.h>
#include <linux/jiffies.h>

/* Below the 300 seconds that KUnit gives a case. */
#define EVENTUALLY_JIFFIES	(200 * HZ)

/* Whether @condition came true. */
#define eventually(condition)						\
({									\
	unsigned long __end = jiffies + EVENTUALLY_JIFFIES;		\
									\
	while (!(condition) && time_before(jiffies, __end))		\
		msleep(20);						\
	(condition);							\
})

#endif /* _PAGELESS_TESTS_EVENTUALLY_H */
