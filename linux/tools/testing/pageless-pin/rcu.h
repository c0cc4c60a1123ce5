/* SPDX-License-Identifier: GPL-2.0 */
/*
 * <linux/rcupdate.h> on liburcu, with accesses that ThreadSanitizer understands, and
 * <linux/spinlock.h>.
 * A grace period orders what readers did before what is freed after it; liburcu is
 * not instrumented and has to be helped to say so. Readers have no barrier.
 */
#ifndef PIN_RCU_H
#define PIN_RCU_H

#include <urcu.h>
#include <linux/atomic.h>
#include "../../include/linux/spinlock.h"

#ifdef __SANITIZE_THREAD__
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#else
static inline void __tsan_acquire(void *addr)
{
}

static inline void __tsan_release(void *addr)
{
}
#endif

extern char grace_period;

static inline void pin_rcu_read_unlock(void)
{
	__tsan_release(&grace_period);
	rcu_read_unlock();
}

static inline void pin_call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
	drain();
	__tsan_release(&grace_period);
	call_rcu(head, func);
}

#undef rcu_read_unlock
#undef call_rcu
#undef rcu_dereference
#undef rcu_assign_pointer
#define rcu_read_unlock			pin_rcu_read_unlock
#define call_rcu			pin_call_rcu
#define rcu_dereference(p)		__atomic_load_n(&(p), __ATOMIC_ACQUIRE)
#define rcu_dereference_raw(p)		rcu_dereference(p)
#define rcu_dereference_check(p, ...)		rcu_dereference(p)
#define rcu_dereference_protected(p, ...)	rcu_dereference(p)
#define rcu_assign_pointer(p, v)	(drain(), __atomic_store_n(&(p), v, __ATOMIC_RELEASE))
/* A reader may have it from here first, and what it points to depends on who published that. */
#define RCU_INIT_POINTER(p, v)		rcu_assign_pointer(p, v)

/* Nobody is preempted with a spinlock: no grace period ends. lib/xarray.c frees before it unlinks. */
static inline void pin_spin_lock(spinlock_t *lock)
{
	rcu_read_lock();
	pthread_mutex_lock(lock);
}

static inline void pin_spin_unlock(spinlock_t *lock)
{
	drain();
	pthread_mutex_unlock(lock);
	rcu_read_unlock();
}

#undef spin_lock
#undef spin_unlock
#undef spin_lock_irq
#undef spin_unlock_irq
#undef spin_lock_irqsave
#undef spin_unlock_irqrestore
#define spin_lock(lock)				pin_spin_lock(lock)
#define spin_unlock(lock)			pin_spin_unlock(lock)
#define spin_lock_irq(lock)			pin_spin_lock(lock)
#define spin_unlock_irq(lock)			pin_spin_unlock(lock)
#define spin_lock_irqsave(lock, flags)		((void)((flags) = 0), pin_spin_lock(lock))
#define spin_unlock_irqrestore(lock, flags)	((void)(flags), pin_spin_unlock(lock))

#endif /* PIN_RCU_H */
