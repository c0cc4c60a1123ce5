/* SPDX-License-Identifier: GPL-2.0 */
/*
 * <linux/atomic.h>. What returns nothing is a store that waits in the thread's buffer
 * until something orders it, as on the weakest machines: a barrier that is missing
 * shows on any machine. What returns a value is a full barrier.
 */
#ifndef PIN_ATOMIC_H
#define PIN_ATOMIC_H

#include <linux/compiler.h>
#include <linux/types.h>
#include <asm/barrier.h>

#define MAX_STORES	256

struct store_buffer {
	unsigned int nr;
	struct {
		int *p;
		int value;
		bool add;
	} store[MAX_STORES];
};

extern __thread struct store_buffer stores;

static inline void drain(void)
{
	unsigned int i;

	for (i = 0; i < stores.nr; i++) {
		if (stores.store[i].add)
			__atomic_fetch_add(stores.store[i].p, stores.store[i].value, __ATOMIC_RELAXED);
		else
			__atomic_store_n(stores.store[i].p, stores.store[i].value, __ATOMIC_RELAXED);
	}
	stores.nr = 0;
}

static inline void buffer(int *p, int value, bool add)
{
	if (stores.nr == MAX_STORES)
		drain();
	stores.store[stores.nr].p = p;
	stores.store[stores.nr].value = value;
	stores.store[stores.nr++].add = add;
}

static inline void full_barrier(void)
{
	drain();
	asm volatile("lock; addl $0,-132(%%rsp)" ::: "memory", "cc");
}

#undef smp_mb
/* Of the thread and of its buffer. */
#define smp_mb()		full_barrier()
/* It waits in the buffer like all others. */
#define smp_mb__after_atomic()	full_barrier()

/* A thread sees its own stores. */
static inline int atomic_read(const atomic_t *v)
{
	int value = __atomic_load_n(&v->counter, __ATOMIC_RELAXED);
	unsigned int i;

	for (i = 0; i < stores.nr; i++)
		if (stores.store[i].p == &v->counter)
			value = stores.store[i].value + (stores.store[i].add ? value : 0);
	return value;
}

static inline void atomic_set(atomic_t *v, int i)
{
	buffer(&v->counter, i, false);
}

static inline void atomic_inc(atomic_t *v)
{
	buffer(&v->counter, 1, true);
}

static inline bool atomic_sub_and_test(int i, atomic_t *v)
{
	drain();
	return __atomic_sub_fetch(&v->counter, i, __ATOMIC_SEQ_CST) == 0;
}

static inline bool atomic_dec_and_test(atomic_t *v)
{
	return atomic_sub_and_test(1, v);
}

static inline bool atomic_try_cmpxchg(atomic_t *v, int *old, int new)
{
	drain();
	return __atomic_compare_exchange_n(&v->counter, old, new, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED);
}

static inline int atomic_cmpxchg(atomic_t *v, int old, int new)
{
	atomic_try_cmpxchg(v, &old, new);
	return old;
}

#endif /* PIN_ATOMIC_H */
