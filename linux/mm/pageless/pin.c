// SPDX-License-Identifier: GPL-2.0
/*
 * Pins: which frames of page-less memory must not be reused yet, because they
 * are a user buffer that a device reads or writes.
 *
 *	pageless_ranges --> range --> pins.blocks, by chunk --> block
 *	                                                          ^
 *	pageless_recent, of this CPU -----------------------------'
 *
 *	                 pin        unpin      span_pinned   reap
 *	pin              lock-free  lock-free  barriers      users
 *	unpin                       lock-free  --            users
 *	span_pinned                            lock-free     RCU
 *	reap                                                 one for each range
 *
 * Pins of the same chunk meet in atomics only. A chunk without a block gets one
 * under xa_lock, and there loses it when it is idle. See "Pins" in
 * Documentation/mm/pageless.rst.
 */
#include <linux/percpu.h>
#include <linux/rcupdate_wait.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include "pageless.h"

/* An idle block is kept this long, so that I/O in a loop does not allocate. */
#define PAGELESS_REAP_DELAY	(HZ / 10)

/* Blocks that each CPU remembers. */
#define PAGELESS_RECENT		16

/* pageless_block.users of a block that was taken out of its table. */
#define PAGELESS_DEAD		INT_MIN

/*
 * Pins of a chunk, or of the part of it that the range has. A pin adds one to whole,
 * or one to each frame of its span, and as much to users: no counter is above users.
 */
struct pageless_block {
	struct pageless_range *range;	/* immutable; valid while not dead, or under RCU */
	unsigned long pfn;		/* first frame, immutable */
	unsigned int nr;		/* frames, immutable */
	atomic_t users;			/* their sum; from 0 to PAGELESS_DEAD under xa_lock */
	atomic_t whole;			/* pins of all frames at once */
	atomic_t frame[PAGELESS_CHUNK_PFNS];
	union {
		struct pageless_block *next;	/* dead, private to the reaper */
		struct rcu_head rcu;
	};
};

static struct kmem_cache *pageless_block_cache __ro_after_init;

/*
 * By chunk. Read under RCU. Written by who holds a pin of the block, so that no
 * dead block comes in; the reaper sweeps out those that it killed before it frees.
 */
static DEFINE_PER_CPU(struct pageless_block *, pageless_recent[PAGELESS_RECENT]);

static unsigned long pageless_chunk(unsigned long pfn)
{
	return pfn / PAGELESS_CHUNK_PFNS;
}

/* Key of a block. It counts from the range's first chunk, which keeps the tree low. */
static unsigned long pageless_key(const struct pageless_range *range, unsigned long pfn)
{
	return pageless_chunk(pfn) - pageless_chunk(pageless_start_pfn(range));
}

/* -------- look-up ---------------------------------------------------------- */

static bool pageless_block_has(const struct pageless_block *block, unsigned long pfn,
			       unsigned int nr)
{
	unsigned long offset = pfn - block->pfn;

	/* An nr of 0 wraps, and is refused. */
	return offset < block->nr && nr - 1 < block->nr - offset;
}

/* Under RCU, from the table. Not dead if the caller has a pin in it. */
static struct pageless_block *pageless_block_find(unsigned long pfn, unsigned int nr)
{
	struct pageless_range *range = pageless_find(pfn);
	struct pageless_block *block = NULL;

	if (range)
		block = xa_load(&range->pins.blocks, pageless_key(range, pfn));
	return block && pageless_block_has(block, pfn, nr) ? block : NULL;
}

/* Under RCU, from what this CPU remembers: most I/O finds it there. */
static __always_inline struct pageless_block *pageless_block_recall(unsigned long pfn,
								    unsigned int nr)
{
	struct pageless_block *block;

	block = this_cpu_read(pageless_recent[pageless_chunk(pfn) % PAGELESS_RECENT]);
	/* A dead one may have a successor by now, with the pins that the caller looks for. */
	if (likely(block && pageless_block_has(block, pfn, nr) &&
		   atomic_read(&block->users) >= 0))
		return block;
	return NULL;
}

/* The caller has a pin in the block. */
static void pageless_remember(struct pageless_block *block)
{
	this_cpu_write(pageless_recent[pageless_chunk(block->pfn) % PAGELESS_RECENT], block);
}

/* Of dead blocks, on all CPUs. */
static void pageless_forget(void)
{
	struct pageless_block **recent, *block;
	int cpu, i;

	for_each_possible_cpu(cpu) {
		/* Another range's reaper may be about to free what it killed. */
		rcu_read_lock();
		for (i = 0; i < PAGELESS_RECENT; i++) {
			recent = per_cpu_ptr(&pageless_recent[i], cpu);
			block = READ_ONCE(*recent);
			if (block && atomic_read(&block->users) < 0)
				cmpxchg(recent, block, NULL);
		}
		rcu_read_unlock();
	}
}

/* -------- blocks ----------------------------------------------------------- */

/*
 * More pins, unless the block is dead or full: a negative number and a large one
 * are the same test. No other counter can overflow before this one.
 */
static bool pageless_users_add(struct pageless_block *block, unsigned int pins)
{
	int users = atomic_read(&block->users);

	do {
		if (unlikely((unsigned int)users > INT_MAX - PAGELESS_CHUNK_PFNS))
			return false;
	} while (!atomic_try_cmpxchg(&block->users, &users, users + pins));
	return true;
}

/* Under RCU: pins in a block that is there, and with each a reference to the range. */
static __always_inline bool pageless_block_get(struct pageless_block *block,
					       unsigned int pins)
{
	struct percpu_ref *ref = &block->range->ref;

	if (unlikely(!percpu_ref_tryget_live_rcu(ref)))
		return false;
	if (unlikely(!pageless_users_add(block, pins))) {
		percpu_ref_put(ref);
		return false;
	}
	if (pins > 1)
		percpu_ref_get_many(ref, pins - 1);
	return true;
}

static struct pageless_block *pageless_block_alloc(struct pageless_range *range,
						   unsigned long pfn, gfp_t gfp)
{
	struct pageless_block *block = kmem_cache_alloc(pageless_block_cache, gfp | __GFP_ZERO);
	unsigned long start = pageless_start_pfn(range);
	unsigned long end = start + pageless_nr_pfns(range);
	unsigned long first = pageless_chunk(pfn) * PAGELESS_CHUNK_PFNS;

	if (!block)
		return NULL;
	block->range = range;
	block->pfn = max(first, start);
	block->nr = min(first + PAGELESS_CHUNK_PFNS, end) - block->pfn;
	return block;
}

/* A pin in the block of a chunk, for who holds the range and found none. */
static struct pageless_block *pageless_block_make(struct pageless_range *range,
						  unsigned long pfn,
						  unsigned int pins, gfp_t gfp)
{
	unsigned long flags, key = pageless_key(range, pfn);
	struct xarray *blocks = &range->pins.blocks;
	struct pageless_block *block, *new;
	int err;

	new = gfp ? pageless_block_alloc(range, pfn, gfp) : NULL;
	if (!new)
		return ERR_PTR(-ENOMEM);

	atomic_set(&new->users, pins);
	block = new;
	xa_lock_irqsave(blocks, flags);
	err = __xa_insert(blocks, key, new, gfp);
	if (err == -EBUSY) {
		/* Somebody was faster. Under the lock, what is there is not dead. */
		block = xa_load(blocks, key);
		if (pageless_users_add(block, pins))
			err = 0;
	}
	xa_unlock_irqrestore(blocks, flags);

	if (err || block != new)
		kmem_cache_free(pageless_block_cache, new);
	return err ? ERR_PTR(err) : block;
}

static struct pageless_block *pageless_block_get_slow(unsigned long pfn, unsigned int nr,
						      unsigned int pins, gfp_t gfp)
{
	struct pageless_block *block;
	struct pageless_range *range;

	might_alloc(gfp);
	if (!nr || pageless_chunk(pfn) != pageless_chunk(pfn + nr - 1))
		return ERR_PTR(-EINVAL);

	rcu_read_lock();
	block = pageless_block_find(pfn, nr);
	if (block && !pageless_block_get(block, pins))
		block = NULL;
	rcu_read_unlock();
	if (block)
		return block;

	range = pageless_range_get(pfn);
	if (!range)
		return ERR_PTR(-ENXIO);
	if (pfn - pageless_start_pfn(range) + nr > pageless_nr_pfns(range))
		block = ERR_PTR(-ENXIO);
	else
		block = pageless_block_make(range, pfn, pins, gfp);
	if (IS_ERR(block))
		percpu_ref_put(&range->ref);
	else if (pins > 1)
		percpu_ref_get_many(&range->ref, pins - 1);
	return block;
}

/* -------- reaper ----------------------------------------------------------- */

static void pageless_block_free(struct rcu_head *rcu)
{
	kmem_cache_free(pageless_block_cache, container_of(rcu, struct pageless_block, rcu));
}

/* Take idle blocks out of the table. Nobody else does, so they stay while we look at them. */
static struct pageless_block *pageless_kill_idle(struct xarray *blocks)
{
	struct pageless_block *block, *dead = NULL;
	unsigned long key;

	xa_for_each(blocks, key, block) {
		cond_resched();
		if (atomic_read(&block->users))
			continue;
		xa_lock_irq(blocks);
		if (atomic_cmpxchg(&block->users, 0, PAGELESS_DEAD) == 0) {
			__xa_erase(blocks, key);
			block->next = dead;
			dead = block;
		}
		xa_unlock_irq(blocks);
	}
	return dead;
}

static void pageless_reap(struct work_struct *work)
{
	struct pageless_pins *pins = container_of(to_delayed_work(work),
						  struct pageless_pins, reap);
	struct pageless_block *block, *dead = pageless_kill_idle(&pins->blocks);

	if (!dead)
		return;
	pageless_forget();
	/* Pairs with rcu_read_lock() in pageless_pin() and pageless_unpin(). */
	while ((block = dead)) {
		dead = block->next;
		call_rcu(&block->rcu, pageless_block_free);
	}
}

/*
 * For a block whose users are 0 now. The atomic_sub_and_test() before this is a full
 * barrier, and pairs with the one with which a work item ceases to be pending before
 * it runs: either that sees 0 users, or it is queued again here and frees the block.
 */
static __always_inline void pageless_reap_later(struct pageless_pins *pins)
{
	if (!delayed_work_pending(&pins->reap))
		queue_delayed_work(system_unbound_wq, &pins->reap, PAGELESS_REAP_DELAY);
}

/* -------- pins ------------------------------------------------------------- */

static unsigned int pageless_nr_counters(unsigned int nr, bool whole)
{
	return whole ? 1 : nr;
}

static atomic_t *pageless_counters(struct pageless_block *block, unsigned long pfn,
				   bool whole)
{
	return whole ? &block->whole : &block->frame[pfn - block->pfn];
}

static __always_inline void pageless_count(struct pageless_block *block, unsigned long pfn,
					   unsigned int nr, bool whole)
{
	atomic_t *counter = pageless_counters(block, pfn, whole);
	atomic_t *end = counter + pageless_nr_counters(nr, whole);

	do {
		atomic_inc(counter++);
	} while (counter != end);
	/*
	 * Pairs with smp_mb() in pageless_span_pinned(): either that sees the
	 * counter, or the caller sees that the entry is gone. Otherwise the frame
	 * would be given to another file and written by the device.
	 */
	smp_mb__after_atomic();
}

static noinline int pageless_pin_slow(unsigned long pfn, unsigned int nr, bool whole, gfp_t gfp)
{
	unsigned int pins = pageless_nr_counters(nr, whole);
	struct pageless_block *block = pageless_block_get_slow(pfn, nr, pins, gfp);

	if (IS_ERR(block))
		return PTR_ERR(block);
	pageless_remember(block);
	pageless_count(block, pfn, nr, whole);
	return 0;
}

/**
 * pageless_pin() - keep frames of a user mapping from being reused
 * @pfn: first frame
 * @nr: frames, within one chunk of PAGELESS_CHUNK_PFNS
 * @whole: they are mapped by one PMD or PUD: one pin of the whole chunk, instead
 *	of one of each frame
 * @gfp: how to allocate if this is the first pin in the chunk; 0 for not at all
 *
 * Each pin also holds the range. It does not hold the mapping: this is a full
 * barrier, and the caller reads the page table entry again afterwards. If that has
 * changed, the pin came too late and is taken back.
 *
 * Context: any; may sleep if @gfp says so. With interrupts disabled, as in
 * get_user_pages_fast(), @gfp is 0 or does not sleep.
 * Return: 0, to be undone by pageless_unpin(); -ENXIO when a frame is in no range
 * or its range is being removed; -ENOMEM; -EINVAL when the span is empty or crosses
 * the end of a chunk; -EBUSY when the chunk has about INT_MAX pins.
 */
int pageless_pin(unsigned long pfn, unsigned int nr, bool whole, gfp_t gfp)
{
	struct pageless_block *block;

	rcu_read_lock();
	block = pageless_block_recall(pfn, nr);
	if (likely(block && pageless_block_get(block, pageless_nr_counters(nr, whole)))) {
		rcu_read_unlock();
		pageless_count(block, pfn, nr, whole);
		return 0;
	}
	rcu_read_unlock();
	return pageless_pin_slow(pfn, nr, whole, gfp);
}

/**
 * pageless_pin_again() - one more pin of a frame that is pinned
 * @pfn: the frame, pinned by pageless_pin() and not as a part of a whole chunk
 *
 * Works for a range that is being removed, too.
 *
 * Context: any.
 */
void pageless_pin_again(unsigned long pfn)
{
	struct pageless_block *block;

	rcu_read_lock();
	block = pageless_block_recall(pfn, 1) ?: pageless_block_find(pfn, 1);
	if (!WARN_ON_ONCE(!block)) {
		percpu_ref_get(&block->range->ref);
		atomic_inc(&block->users);
		atomic_inc(&block->frame[pfn - block->pfn]);
	}
	rcu_read_unlock();
}

static bool pageless_counter_dec(atomic_t *counter)
{
	WARN_ON_ONCE(IS_ENABLED(CONFIG_PAGELESS_DEBUG) && atomic_read(counter) <= 0);
	return atomic_dec_and_test(counter);
}

/* Under RCU, which keeps the range when its last reference is gone. */
static __always_inline void pageless_block_put(struct pageless_block *block,
					       unsigned long pfn, unsigned int nr, bool whole)
{
	atomic_t *counter = pageless_counters(block, pfn, whole);
	unsigned int pins = pageless_nr_counters(nr, whole);
	struct pageless_range *range = block->range;
	atomic_t *end = counter + pins;
	bool idle = false;

	do {
		idle |= pageless_counter_dec(counter++);
	} while (counter != end);
	/* From here on the block may be gone, unless it has more pins. */
	if (atomic_sub_and_test(pins, &block->users))
		pageless_reap_later(&range->pins);
	percpu_ref_put_many(&range->ref, pins);
	/*
	 * atomic_dec_and_test() is a full barrier between the counter and the wait
	 * queue. It pairs with that of prepare_to_wait_event() in wait_var_event():
	 * either the waiter sees zero, or it is seen here and not left asleep.
	 */
	if (idle)
		wake_up_var(pageless_pin_var(pfn));
}

static noinline void pageless_unpin_slow(unsigned long pfn, unsigned int nr, bool whole)
{
	struct pageless_block *block = pageless_block_find(pfn, nr);

	if (WARN_ON_ONCE(!block))
		return;
	pageless_remember(block);
	pageless_block_put(block, pfn, nr, whole);
}

/**
 * pageless_unpin() - undo pageless_pin()
 * @pfn: first frame
 * @nr: frames, within one chunk
 * @whole: as passed to pageless_pin()
 *
 * Frames that were pinned together may be given back one by one, and the other way
 * round; a pin of a whole chunk is given back as such, for any of its frames.
 * Wakes those who wait for pageless_pin_var() of a frame that lost its last pin.
 *
 * Context: any, hard interrupt too. Neither sleeps nor allocates.
 */
void pageless_unpin(unsigned long pfn, unsigned int nr, bool whole)
{
	struct pageless_block *block;

	rcu_read_lock();
	block = pageless_block_recall(pfn, nr);
	if (likely(block))
		pageless_block_put(block, pfn, nr, whole);
	else
		pageless_unpin_slow(pfn, nr, whole);
	rcu_read_unlock();
}

static bool pageless_block_pinned(const struct pageless_block *block, unsigned long pfn,
				  unsigned long last, unsigned long *first)
{
	/* Counted first, and dropped last. */
	if (atomic_read(&block->users) <= 0)
		return false;
	*first = max(pfn, block->pfn);
	if (atomic_read(&block->whole))
		return true;
	last = min(last, block->pfn + block->nr - 1);
	for (; *first <= last; ++*first)
		if (atomic_read(&block->frame[*first - block->pfn]))
			return true;
	return false;
}

/* The span lies in the range. */
static bool pageless_range_pinned(struct pageless_range *range, unsigned long pfn,
				  unsigned long last, unsigned long *first)
{
	unsigned long key, end = pageless_key(range, last);
	struct pageless_block *block;

	xa_for_each_range(&range->pins.blocks, key, block, pageless_key(range, pfn), end)
		if (pageless_block_pinned(block, pfn, last, first))
			return true;
	return false;
}

/**
 * pageless_span_pinned() - is any frame of a span pinned?
 * @pfn: first frame
 * @nr: frames, at least one; the span may have any number of chunks and ranges
 * @first: set to the first one that is; undefined if none is
 *
 * The caller has cleared the page table entries that map the span and lets no new
 * ones come: after a false the frames may be reused. A pin of a whole chunk pins
 * each of its frames. Frames that are in no range are not pinned.
 *
 * To wait, wait for the frame @first alone, by pageless_pin_var(), and then look
 * at the span again: waiters are woken for the chunk that they wait for only.
 *
 * Context: any, but it takes time for each chunk with pins.
 * Return: true if one is.
 */
bool pageless_span_pinned(unsigned long pfn, unsigned long nr, unsigned long *first)
{
	unsigned long end, index = pfn, last = pfn + nr - 1;
	struct pageless_range *range;
	bool pinned = false;

	/*
	 * Pairs with smp_mb__after_atomic() in pageless_pin(): the entries were
	 * cleared before the counters are read. Otherwise both sides could miss
	 * each other, and a frame that a device writes would be reused.
	 */
	smp_mb();
	rcu_read_lock();
	while (!pinned && index <= last) {
		range = xa_find(&pageless_ranges, &index, last, XA_PRESENT);
		if (!range)
			break;
		index = max(index, pageless_start_pfn(range));
		end = pageless_start_pfn(range) + pageless_nr_pfns(range);
		pinned = pageless_range_pinned(range, index, min(last, end - 1), first);
		index = end;
	}
	rcu_read_unlock();
	return pinned;
}

/**
 * pageless_pin_var() - what to wait on for a frame to be unpinned
 * @pfn: the frame
 *
 * For wait_var_event() with the condition that pageless_span_pinned() of the frame
 * is false.
 *
 * Context: any.
 * Return: a key, the same for all frames of a chunk. It is not an address.
 */
void *pageless_pin_var(unsigned long pfn)
{
	return (void *)pageless_chunk(pfn);
}

/* -------- the table of a range --------------------------------------------- */

/**
 * pageless_pins_count() - pins of a range, and what they cost
 * @range: the range, held by the caller
 * @bytes: set to the bytes of the table's blocks and of the tree above them
 *
 * Context: may sleep.
 * Return: the number of pins now.
 */
unsigned long pageless_pins_count(struct pageless_range *range, size_t *bytes)
{
	XA_STATE(xas, &range->pins.blocks, 0);
	const struct xa_node *node, *seen[BITS_PER_LONG / XA_CHUNK_SHIFT + 1] = { };
	struct pageless_block *block;
	unsigned long pins = 0;

	*bytes = 0;
	rcu_read_lock();
	xas_for_each(&xas, block, ULONG_MAX) {
		if (xas_retry(&xas, block))
			continue;
		pins += max(atomic_read(&block->users), 0);
		*bytes += sizeof(*block);
		/* The way up, to the first node that was met before. */
		for (node = xas.xa_node; node && seen[node->shift / XA_CHUNK_SHIFT] != node;
		     node = rcu_dereference(node->parent)) {
			seen[node->shift / XA_CHUNK_SHIFT] = node;
			*bytes += sizeof(*node);
		}
		if (need_resched()) {
			xas_pause(&xas);
			cond_resched_rcu();
		}
	}
	rcu_read_unlock();
	return pins;
}

/**
 * pageless_pins_init() - an empty table
 * @range: the range, not published yet
 *
 * Context: any.
 */
void pageless_pins_init(struct pageless_range *range)
{
	xa_init_flags(&range->pins.blocks, XA_FLAGS_LOCK_IRQ);
	INIT_DELAYED_WORK(&range->pins.reap, pageless_reap);
}

/**
 * pageless_pins_exit() - free the table
 * @range: a range that has no pins and gets no new ones
 *
 * What is idle has queued the reaper, so that is all there is to run. Those who
 * look into pageless_recent may see the range until the next grace period ends.
 *
 * Context: may sleep.
 */
void pageless_pins_exit(struct pageless_range *range)
{
	flush_delayed_work(&range->pins.reap);
	WARN_ON(!xa_empty(&range->pins.blocks));
}

static int __init pageless_pin_init(void)
{
	pageless_block_cache = KMEM_CACHE(pageless_block, SLAB_PANIC | SLAB_HWCACHE_ALIGN);
	return 0;
}
core_initcall(pageless_pin_init);
