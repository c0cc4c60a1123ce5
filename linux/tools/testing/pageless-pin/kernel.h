/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel as mm/pageless/pin.c sees it. Threads belong to a CPU for good, and those
 * of one CPU run at the same time: they share what it remembers. Work runs when it is
 * flushed.
 */
#ifndef PIN_KERNEL_H
#define PIN_KERNEL_H

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/atomic.h>
#include <linux/types.h>
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/xarray.h>

/* ---- words ---- */

#define __ro_after_init
#define __init
#define core_initcall(fn)	static void __attribute__((constructor)) fn##_call(void) { fn(); }
#define cond_resched()		sched_yield()
#define cond_resched_rcu()	((void)0)
#define need_resched()		false
#define HZ			1000

#undef READ_ONCE
#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_ACQUIRE) /* orders what depends on it */
#undef cmpxchg
#define cmpxchg(ptr, old, new)							\
({										\
	typeof(*(ptr)) __old = (old);						\
	drain();								\
	__atomic_compare_exchange_n(ptr, &__old, new, false, __ATOMIC_SEQ_CST,	\
				    __ATOMIC_RELAXED);				\
	__old;									\
})

#define die(...)								\
do {										\
	fprintf(stderr, "%s:%d: ", __func__, __LINE__);				\
	fprintf(stderr, __VA_ARGS__);						\
	fputc('\n', stderr);							\
	abort();								\
} while (0)

#undef WARN_ON
#undef WARN_ON_ONCE
#define WARN_ON_ONCE(cond)	((cond) ? ({ die("warning: %s", #cond); true; }) : false)
#define WARN_ON(cond)		WARN_ON_ONCE(cond)

/* ---- this CPU ---- */

#define CPUS		3
#define PER_CPU_WORDS	16

extern __thread unsigned int this_cpu;
/* Of the one variable that there is, an array of pointers: where its own copy is says which. */
extern void *per_cpu_area[CPUS][PER_CPU_WORDS];

#undef this_cpu_read
#undef this_cpu_write
#undef per_cpu_ptr
#define per_cpu_ptr(ptr, cpu)							\
	((typeof(ptr))&per_cpu_area[cpu][(unsigned long)(ptr) / sizeof(void *) % PER_CPU_WORDS])
#define this_cpu_read(var)		__atomic_load_n(per_cpu_ptr(&(var), this_cpu), __ATOMIC_ACQUIRE)
#define this_cpu_write(var, value)						\
	__atomic_store_n(per_cpu_ptr(&(var), this_cpu), value, __ATOMIC_RELEASE)
#define for_each_possible_cpu(cpu)	for ((cpu) = 0; (cpu) < CPUS; (cpu)++)

/* ---- memory: an aligned cache frees at once, so that the sanitizers see what is used later ---- */

#define SLAB_HWCACHE_ALIGN		0
#define KMEM_CACHE(type, flags)								\
	kmem_cache_create(#type, sizeof(struct type), __alignof__(struct type), flags, NULL)

static inline void pin_cache_free(struct kmem_cache *cache, void *obj)
{
	__tsan_acquire(&grace_period);
	kmem_cache_free(cache, obj);
}
#define kmem_cache_free(cache, obj)	pin_cache_free(cache, obj)

/* ---- references ---- */

#define REF_DEAD	(1UL << 63)

struct percpu_ref {
	unsigned long count;
};

static inline bool percpu_ref_tryget_live_rcu(struct percpu_ref *ref)
{
	unsigned long old = __atomic_load_n(&ref->count, __ATOMIC_RELAXED);

	do {
		if (old & REF_DEAD)
			return false;
	} while (!__atomic_compare_exchange_n(&ref->count, &old, old + 1, false,
					      __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

static inline void percpu_ref_get_many(struct percpu_ref *ref, unsigned long nr)
{
	__atomic_fetch_add(&ref->count, nr, __ATOMIC_RELAXED);
}

/* Who removes the range polls for REF_DEAD alone. */
static inline void percpu_ref_put_many(struct percpu_ref *ref, unsigned long nr)
{
	drain();
	__atomic_fetch_sub(&ref->count, nr, __ATOMIC_RELEASE);
}

#define percpu_ref_get(ref)	percpu_ref_get_many(ref, 1)
#define percpu_ref_put(ref)	percpu_ref_put_many(ref, 1)

/* ---- work ---- */

struct work_struct {
	void (*func)(struct work_struct *work);
};

struct delayed_work {
	struct work_struct work;
	int pending;
	pthread_mutex_t running;
};

#define system_unbound_wq	NULL
#define to_delayed_work(w)	container_of(w, struct delayed_work, work)

#define INIT_DELAYED_WORK(d, fn)					\
do {									\
	(d)->work.func = fn;						\
	(d)->pending = 0;						\
	pthread_mutex_init(&(d)->running, NULL);			\
} while (0)

#define delayed_work_pending(d)		__atomic_load_n(&(d)->pending, __ATOMIC_RELAXED)

static inline void queue_delayed_work(void *wq, struct delayed_work *d, unsigned long delay)
{
	drain();
	__atomic_store_n(&d->pending, 1, __ATOMIC_SEQ_CST);
}

static inline void flush_delayed_work(struct delayed_work *d)
{
	pthread_mutex_lock(&d->running);
	if (__atomic_exchange_n(&d->pending, 0, __ATOMIC_SEQ_CST))
		d->work.func(&d->work);
	pthread_mutex_unlock(&d->running);
}

void wake_up_var(void *var);

/* ---- <linux/pageless.h>, as much as pins need; small chunks, in which threads meet ---- */

#define PAGELESS_CHUNK_PFNS	64UL

struct pageless_pins {
	struct xarray blocks;
	struct delayed_work reap;
};

struct pageless_range {
	unsigned long start;	/* a frame number */
	unsigned long size;	/* frames */
	struct percpu_ref ref;
	struct pageless_pins pins;
};

static inline unsigned long pageless_start_pfn(const struct pageless_range *range)
{
	return range->start;
}

static inline unsigned long pageless_nr_pfns(const struct pageless_range *range)
{
	return range->size;
}

struct pageless_range *pageless_range_get(unsigned long pfn);
int pageless_pin(unsigned long pfn, unsigned int nr, bool whole, gfp_t gfp);
void pageless_pin_again(unsigned long pfn);
void pageless_unpin(unsigned long pfn, unsigned int nr, bool whole);
bool pageless_span_pinned(unsigned long pfn, unsigned long nr, unsigned long *first);
void *pageless_pin_var(unsigned long pfn);

#endif /* PIN_KERNEL_H */
