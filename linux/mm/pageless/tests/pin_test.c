// SPDX-License-Identifier: GPL-2.0
/*
 * Pins of page-less frames: who sees them, who is woken, and what they cost. The
 * ranges are at physical addresses that nothing is behind; nobody touches the memory.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/ioport.h>
#include <linux/memory_hotplug.h>
#include <linux/pageless.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>
#include "../pageless.h"
#include "eventually.h"

#define CHUNK		PAGELESS_CHUNK_PFNS
/* Two whole chunks, with parts of chunks around them. */
#define HEAD		5
#define TAIL		7
#define NR_PFNS		(HEAD + 2 * CHUNK + TAIL)
/* Counters of a chunk: the least that a chunk with pins costs. */
#define COUNTERS	(CHUNK * sizeof(atomic_t))

struct pin_fixture {
	struct pageless_range range;
	struct pageless_range next;	/* begins where the other ends */
	unsigned long pfn;		/* the first chunk that is whole */
	struct hrtimer timer;
	struct work_struct unregister;
	unsigned int nr;		/* of the pin that the timer takes back */
	bool whole;
	bool in_hardirq;
};

static bool pinned(unsigned long pfn, unsigned long nr)
{
	unsigned long first;

	return pageless_span_pinned(pfn, nr, &first);
}

/* The first pinned frame of a span that has one. */
static unsigned long first_pinned(struct kunit *test, unsigned long pfn, unsigned long nr)
{
	unsigned long first = 0;

	KUNIT_EXPECT_TRUE(test, pageless_span_pinned(pfn, nr, &first));
	return first;
}

/* Without the 100 ms that the reaper takes. */
static bool table_empty(struct pageless_range *range)
{
	flush_delayed_work(&range->pins.reap);
	return xa_empty(&range->pins.blocks);
}

static void pin_exit(struct kunit *test)
{
	struct pin_fixture *f = test->priv;

	if (!f)
		return;
	if (f->next.size)
		pageless_unregister(&f->next);
	if (f->range.size)
		pageless_unregister(&f->range);
}

static void pin_register(struct kunit *test, struct pageless_range *range, unsigned long pfn,
			 unsigned long nr)
{
	*range = (struct pageless_range) {
		.start = PFN_PHYS(pfn),
		.size = PFN_PHYS(nr),
		.name = "kunit",
		.nid = NUMA_NO_NODE,
	};
	if (pageless_register(range)) {
		range->size = 0;
		KUNIT_FAIL_AND_ABORT(test, "no page-less range");
	}
}

static int pin_init(struct kunit *test)
{
	struct pin_fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	phys_addr_t base, end = mhp_get_pluggable_range(true).end;

	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	/* From 512 GiB on: above the RAM and the NVDIMMs of the lab's small machines. */
	for (base = 512ULL * SZ_1G; base < end - SZ_1G; base += SZ_1G)
		if (region_intersects(base, SZ_1G, 0, IORES_DESC_NONE) == REGION_DISJOINT)
			break;
	if (base >= end - SZ_1G)
		kunit_skip(test, "no free physical addresses");
	f->pfn = PHYS_PFN(base) + CHUNK;
	pin_register(test, &f->range, f->pfn - HEAD, NR_PFNS);
	return 0;
}

/* -------- what is pinned ----------------------------------------------------- */

/* A frame that is pinned and does not look so is reused while a device writes it. */
static void frame_is_pinned_alone(struct kunit *test)
{
	struct pin_fixture *f = test->priv;
	unsigned long pfn = f->pfn + 100;

	KUNIT_EXPECT_FALSE(test, pinned(f->pfn - HEAD, NR_PFNS));
	KUNIT_ASSERT_EQ(test, pageless_pin(pfn, 1, false, GFP_KERNEL), 0);
	KUNIT_EXPECT_TRUE(test, pinned(pfn, 1));
	KUNIT_EXPECT_FALSE(test, pinned(pfn - 1, 1));
	KUNIT_EXPECT_FALSE(test, pinned(pfn + 1, 1));
	KUNIT_EXPECT_EQ(test, first_pinned(test, f->pfn - HEAD, NR_PFNS), pfn);
	KUNIT_EXPECT_FALSE(test, pinned(f->pfn - HEAD, HEAD + 100));
	KUNIT_EXPECT_FALSE(test, pinned(pfn + 1, f->pfn + 2 * CHUNK + TAIL - pfn - 1));
	pageless_unpin(pfn, 1, false);
	KUNIT_EXPECT_FALSE(test, pinned(pfn, 1));
}

static void pins_of_a_frame_add_up(struct kunit *test)
{
	struct pin_fixture *f = test->priv;
	int i;

	for (i = 0; i < 3; i++)
		KUNIT_ASSERT_EQ(test, pageless_pin(f->pfn, 1, false, GFP_KERNEL), 0);
	pageless_pin_again(f->pfn);
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_TRUE(test, pinned(f->pfn, 1));
		pageless_unpin(f->pfn, 1, false);
	}
	KUNIT_EXPECT_FALSE(test, pinned(f->pfn, 1));
}

static void span_is_pinned_frame_by_frame(struct kunit *test)
{
	struct pin_fixture *f = test->priv;
	unsigned long pfn = f->pfn + 10;

	KUNIT_ASSERT_EQ(test, pageless_pin(pfn, 4, false, GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, pageless_pin(pfn + 2, 4, false, GFP_KERNEL), 0);
	KUNIT_EXPECT_FALSE(test, pinned(pfn - 1, 1));
	KUNIT_EXPECT_FALSE(test, pinned(pfn + 6, 1));
	KUNIT_EXPECT_EQ(test, first_pinned(test, pfn + 5, 100), pfn + 5);
	pageless_unpin(pfn, 4, false);
	KUNIT_EXPECT_FALSE(test, pinned(pfn, 2));
	KUNIT_EXPECT_EQ(test, first_pinned(test, f->pfn, CHUNK), pfn + 2);
	pageless_unpin(pfn + 2, 4, false);
	KUNIT_EXPECT_FALSE(test, pinned(f->pfn, CHUNK));

	/* All of a chunk. */
	KUNIT_ASSERT_EQ(test, pageless_pin(f->pfn, CHUNK, false, GFP_KERNEL), 0);
	KUNIT_EXPECT_TRUE(test, pinned(f->pfn + CHUNK - 1, 1));
	KUNIT_EXPECT_FALSE(test, pinned(f->pfn + CHUNK, 1));
	pageless_unpin(f->pfn, CHUNK, false);
}

/* Extents are merged and split after they were pinned. */
static void span_is_given_back_in_other_pieces(struct kunit *test)
{
	struct pin_fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, pageless_pin(f->pfn, 3, false, GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, pageless_pin(f->pfn + 3, 5, false, GFP_KERNEL), 0);
	pageless_unpin(f->pfn, 7, false);
	KUNIT_EXPECT_EQ(test, first_pinned(test, f->pfn, CHUNK), f->pfn + 7);
	pageless_unpin(f->pfn + 7, 1, false);
	KUNIT_EXPECT_FALSE(test, pinned(f->pfn, CHUNK));
	KUNIT_EXPECT_TRUE(test, table_empty(&f->range));
}

static void whole_chunk_pins_each_frame(struct kunit *test)
{
	struct pin_fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, pageless_pin(f->pfn + 5, 3, true, GFP_KERNEL), 0);
	KUNIT_EXPECT_TRUE(test, pinned(f->pfn, 1));
	KUNIT_EXPECT_TRUE(test, pinned(f->pfn + CHUNK - 1, 1));
	KUNIT_EXPECT_FALSE(test, pinned(f->pfn - 1, 1));
	KUNIT_EXPECT_FALSE(test, pinned(f->pfn + CHUNK, 1));
	KUNIT_EXPECT_EQ(test, first_pinned(test, f->pfn - 2, 2 * CHUNK), f->pfn);
	pageless_unpin(f->pfn + 5, 3, true);
	KUNIT_EXPECT_FALSE(test, pinned(f->pfn, CHUNK));
}

static void whole_chunk_and_frame_are_counted_apart(struct kunit *test)
{
	struct pin_fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, pageless_pin(f->pfn, CHUNK, true, GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, pageless_pin(f->pfn + 9, 1, false, GFP_KERNEL), 0);
	pageless_unpin(f->pfn, CHUNK, true);
	KUNIT_EXPECT_EQ(test, first_pinned(test, f->pfn, CHUNK), f->pfn + 9);
	KUNIT_ASSERT_EQ(test, pageless_pin(f->pfn, CHUNK, true, GFP_KERNEL), 0);
	pageless_unpin(f->pfn + 9, 1, false);
	KUNIT_EXPECT_EQ(test, first_pinned(test, f->pfn, CHUNK), f->pfn);
	pageless_unpin(f->pfn, CHUNK, true);
	KUNIT_EXPECT_FALSE(test, pinned(f->pfn, CHUNK));
}

/* -------- edges -------------------------------------------------------------- */

static void pin_reaches_the_edges_of_a_range(struct kunit *test)
{
	struct pin_fixture *f = test->priv;
	unsigned long first = f->pfn - HEAD, last = f->pfn + 2 * CHUNK + TAIL - 1;

	KUNIT_ASSERT_EQ(test, pageless_pin(first, HEAD, false, GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, pageless_pin(last - TAIL + 1, TAIL, false, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, first_pinned(test, first - CHUNK, 4 * CHUNK), first);
	KUNIT_EXPECT_EQ(test, first_pinned(test, f->pfn, 4 * CHUNK), last - TAIL + 1);
	KUNIT_EXPECT_TRUE(test, pinned(last, 1));
	KUNIT_EXPECT_FALSE(test, pinned(last + 1, CHUNK));
	KUNIT_EXPECT_FALSE(test, pinned(first - CHUNK, CHUNK));
	pageless_unpin(first, HEAD, false);
	pageless_unpin(last - TAIL + 1, TAIL, false);

	/* As PMDs do not map parts of chunks, but nothing depends on it. */
	KUNIT_ASSERT_EQ(test, pageless_pin(first, 1, true, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, first_pinned(test, first - 2, CHUNK), first);
	KUNIT_EXPECT_FALSE(test, pinned(f->pfn, 1));
	pageless_unpin(first, 1, true);
	KUNIT_EXPECT_FALSE(test, pinned(first, NR_PFNS));
}

/* Two ranges have parts of one chunk; each comes and goes alone. */
static void ranges_that_share_a_chunk_count_apart(struct kunit *test)
{
	struct pin_fixture *f = test->priv;
	unsigned long edge = f->pfn + 2 * CHUNK + TAIL;

	pin_register(test, &f->next, edge, CHUNK);
	KUNIT_EXPECT_EQ(test, pageless_pin(edge - 1, 2, false, GFP_KERNEL), -ENXIO);
	KUNIT_ASSERT_EQ(test, pageless_pin(edge, 1, true, GFP_KERNEL), 0);
	KUNIT_EXPECT_FALSE(test, pinned(edge - 1, 1));
	KUNIT_ASSERT_EQ(test, pageless_pin(edge - 1, 1, false, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, pageless_pin(edge - 1, 2, false, GFP_KERNEL), -ENXIO);
	KUNIT_EXPECT_EQ(test, first_pinned(test, f->pfn, 4 * CHUNK), edge - 1);
	pageless_unpin(edge - 1, 1, false);
	KUNIT_EXPECT_EQ(test, first_pinned(test, f->pfn, 4 * CHUNK), edge);
	pageless_unpin(edge, 1, true);
	KUNIT_EXPECT_FALSE(test, pinned(f->pfn, 4 * CHUNK));
}

static void bad_spans_are_refused(struct kunit *test)
{
	struct pin_fixture *f = test->priv;
	unsigned long first = f->pfn - HEAD, last = f->pfn + 2 * CHUNK + TAIL - 1;
	int i;

	/* Without a block, and with one that the CPU remembers. */
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, pageless_pin(f->pfn, 0, false, GFP_KERNEL), -EINVAL);
		KUNIT_EXPECT_EQ(test, pageless_pin(f->pfn + 1, CHUNK, false, GFP_KERNEL), -EINVAL);
		KUNIT_EXPECT_EQ(test, pageless_pin(first, HEAD + 1, false, GFP_KERNEL), -EINVAL);
		KUNIT_EXPECT_EQ(test, pageless_pin(f->pfn, CHUNK + 1, true, GFP_KERNEL), -EINVAL);
		KUNIT_EXPECT_EQ(test, pageless_pin(last, 2, false, GFP_KERNEL), -ENXIO);
		KUNIT_EXPECT_EQ(test, pageless_pin(first - 1, 1, false, GFP_KERNEL), -ENXIO);
		KUNIT_EXPECT_EQ(test, pageless_pin(last + 1, 1, false, GFP_KERNEL), -ENXIO);
		KUNIT_EXPECT_FALSE(test, pinned(first - CHUNK, 5 * CHUNK));
		if (!i) {
			KUNIT_ASSERT_EQ(test, pageless_pin(f->pfn, 1, false, GFP_KERNEL), 0);
			KUNIT_ASSERT_EQ(test, pageless_pin(last, 1, false, GFP_KERNEL), 0);
			pageless_unpin(f->pfn, 1, false);
			pageless_unpin(last, 1, false);
		}
	}
	KUNIT_EXPECT_EQ(test, pageless_pin(page_to_pfn(ZERO_PAGE(0)), 1, false, GFP_KERNEL),
			-ENXIO);
	KUNIT_EXPECT_FALSE(test, pinned(page_to_pfn(ZERO_PAGE(0)), 1));
}

/* -------- memory ------------------------------------------------------------- */

/* What debugfs shows. */
static size_t table_bytes(struct kunit *test, unsigned long pins)
{
	struct pin_fixture *f = test->priv;
	size_t bytes = -1;

	KUNIT_EXPECT_EQ(test, pageless_pins_count(&f->range, &bytes), pins);
	return bytes;
}

static void table_has_memory_only_while_something_is_pinned(struct kunit *test)
{
	struct pin_fixture *f = test->priv;
	struct pageless_range *range = &f->range;
	size_t one, two;

	KUNIT_EXPECT_TRUE(test, xa_empty(&range->pins.blocks));
	KUNIT_EXPECT_EQ(test, table_bytes(test, 0), 0);
	KUNIT_ASSERT_EQ(test, pageless_pin(f->pfn, 1, false, GFP_KERNEL), 0);
	KUNIT_EXPECT_GT(test, table_bytes(test, 1), COUNTERS);
	KUNIT_ASSERT_EQ(test, pageless_pin(f->pfn + CHUNK, 1, false, GFP_KERNEL), 0);
	two = table_bytes(test, 2);
	KUNIT_EXPECT_GT(test, two, 2 * COUNTERS);
	/* A pin more costs nothing more. */
	KUNIT_ASSERT_EQ(test, pageless_pin(f->pfn + CHUNK, 3, false, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, table_bytes(test, 5), two);
	pageless_unpin(f->pfn + CHUNK, 3, false);
	pageless_unpin(f->pfn, 1, false);
	/* One of them is idle now, and goes, and only that. */
	KUNIT_EXPECT_TRUE(test, eventually(!xa_load(&range->pins.blocks, 1)));
	KUNIT_EXPECT_FALSE(test, table_empty(range));
	KUNIT_EXPECT_NOT_NULL(test, xa_load(&range->pins.blocks, 2));
	KUNIT_EXPECT_TRUE(test, pinned(f->pfn + CHUNK, 1));
	one = table_bytes(test, 1);
	KUNIT_EXPECT_GT(test, one, COUNTERS);
	KUNIT_EXPECT_LE(test, one, two - COUNTERS);
	pageless_unpin(f->pfn + CHUNK, 1, false);
	KUNIT_EXPECT_TRUE(test, eventually(xa_empty(&range->pins.blocks)));
	KUNIT_EXPECT_EQ(test, table_bytes(test, 0), 0);
}

/* As get_user_pages_fast() does it, with interrupts disabled. */
static void pin_without_gfp_does_not_allocate(struct kunit *test)
{
	struct pin_fixture *f = test->priv;
	unsigned long flags;
	int absent, there;

	local_irq_save(flags);
	absent = pageless_pin(f->pfn, 1, false, 0);
	local_irq_restore(flags);
	KUNIT_EXPECT_EQ(test, absent, -ENOMEM);
	KUNIT_EXPECT_TRUE(test, xa_empty(&f->range.pins.blocks));

	KUNIT_ASSERT_EQ(test, pageless_pin(f->pfn + 1, 1, false, GFP_KERNEL), 0);
	local_irq_save(flags);
	there = pageless_pin(f->pfn, 1, false, 0);
	local_irq_restore(flags);
	KUNIT_EXPECT_EQ(test, there, 0);
	KUNIT_EXPECT_TRUE(test, pinned(f->pfn, 1));
	if (!there)
		pageless_unpin(f->pfn, 1, false);
	pageless_unpin(f->pfn + 1, 1, false);

	/* What a CPU remembers of a chunk must not outlive the block. */
	KUNIT_ASSERT_TRUE(test, table_empty(&f->range));
	KUNIT_EXPECT_EQ(test, pageless_pin(f->pfn, 1, false, 0), -ENOMEM);
	KUNIT_EXPECT_FALSE(test, pinned(f->pfn, CHUNK));
}

static void pin_allocates_with_interrupts_disabled(struct kunit *test)
{
	struct pin_fixture *f = test->priv;
	unsigned long flags;
	bool disabled;
	int err;

	local_irq_save(flags);
	err = pageless_pin(f->pfn, 1, false, GFP_ATOMIC);
	disabled = irqs_disabled();
	local_irq_restore(flags);
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_EXPECT_TRUE(test, disabled);
	KUNIT_EXPECT_TRUE(test, pinned(f->pfn, 1));
	pageless_unpin(f->pfn, 1, false);
}

#ifdef CONFIG_FAULT_INJECTION
/* As every_allocation_may_fail() of the range tests. */
static void allocation_failure_leaves_nothing(struct kunit *test)
{
	struct pin_fixture *f = test->priv;
	int nth, err = -1, failures = 0;

	for (nth = 1; nth < 20; nth++) {
		bool injected;

		current->fail_nth = nth;
		err = pageless_pin(f->pfn + CHUNK, 2, false, GFP_KERNEL);
		injected = !current->fail_nth;
		current->fail_nth = 0;
		if (err) {
			KUNIT_EXPECT_EQ(test, err, -ENOMEM);
			failures++;
		} else {
			/* The tree tries twice. */
			pageless_unpin(f->pfn + CHUNK, 2, false);
		}
		KUNIT_EXPECT_FALSE(test, pinned(f->pfn, 2 * CHUNK));
		KUNIT_EXPECT_TRUE(test, table_empty(&f->range));
		if (!injected)
			break;
	}
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_GE(test, failures, 1);
	/* The block and a node. */
	KUNIT_EXPECT_GE(test, nth, 3);
}
#endif

/* -------- waiting ------------------------------------------------------------ */

static enum hrtimer_restart unpin_timer(struct hrtimer *timer)
{
	struct pin_fixture *f = container_of(timer, struct pin_fixture, timer);

	f->in_hardirq = in_hardirq();
	pageless_unpin(f->pfn, f->nr, f->whole);
	return HRTIMER_NORESTART;
}

/* Completions of I/O come in hard interrupt context; truncate sleeps until then. */
static void unpin_in_interrupt_wakes_waiter(struct kunit *test)
{
	struct pin_fixture *f = test->priv;
	unsigned long pfn = f->pfn + 3;
	long left;
	int i;

	hrtimer_init(&f->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	f->timer.function = unpin_timer;
	for (i = 0; i < 6; i++) {
		f->nr = i % 3 == 0 ? 4 : CHUNK;
		f->whole = i % 3 == 2;
		f->in_hardirq = false;
		KUNIT_ASSERT_EQ(test, pageless_pin(f->pfn, f->nr, f->whole, GFP_KERNEL), 0);
		KUNIT_EXPECT_TRUE(test, pinned(pfn, 1));
		hrtimer_start(&f->timer, ms_to_ktime(20), HRTIMER_MODE_REL_HARD);
		left = wait_var_event_timeout(pageless_pin_var(pfn), !pinned(pfn, 1),
					      EVENTUALLY_JIFFIES);
		hrtimer_cancel(&f->timer);
		KUNIT_EXPECT_TRUE(test, f->in_hardirq);
		/* Woken, and not just timed out. */
		KUNIT_EXPECT_GT(test, left, 1);
	}
}

static void unregister_work(struct work_struct *work)
{
	pageless_unregister(&container_of(work, struct pin_fixture, unregister)->range);
}

static void removal_waits_for_pins(struct kunit *test)
{
	struct pin_fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, pageless_pin(f->pfn, CHUNK, true, GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, pageless_pin(f->pfn, 3, false, GFP_KERNEL), 0);
	INIT_WORK(&f->unregister, unregister_work);
	queue_work(system_unbound_wq, &f->unregister);

	/* No new pins; the old ones are there, and keep the range. */
	KUNIT_EXPECT_TRUE(test, eventually(!pageless_pfn(f->pfn)));
	msleep(100);
	KUNIT_EXPECT_EQ(test, pageless_pin(f->pfn, 1, false, GFP_KERNEL), -ENXIO);
	KUNIT_EXPECT_EQ(test, pageless_pin(f->pfn + CHUNK, 1, false, GFP_KERNEL), -ENXIO);
	KUNIT_EXPECT_EQ(test, pageless_pin(f->pfn, 1, false, 0), -ENXIO);
	KUNIT_EXPECT_TRUE(test, pageless_same_range(f->pfn, f->pfn + 1));
	KUNIT_EXPECT_TRUE(test, pinned(f->pfn, 1));
	pageless_unpin(f->pfn, CHUNK, true);
	pageless_pin_again(f->pfn + 1);
	pageless_unpin(f->pfn, 3, false);
	msleep(20);
	KUNIT_EXPECT_TRUE(test, work_busy(&f->unregister));
	KUNIT_EXPECT_EQ(test, first_pinned(test, f->pfn, CHUNK), f->pfn + 1);

	pageless_unpin(f->pfn + 1, 1, false);
	flush_work(&f->unregister);
	KUNIT_EXPECT_FALSE(test, pinned(f->pfn, CHUNK));
	KUNIT_EXPECT_FALSE(test, pageless_same_range(f->pfn, f->pfn + 1));
	f->range.size = 0;
}

/* -------- all at once --------------------------------------------------------- */

#define THREADS		4
#define ROUNDS		100000

struct hammer {
	struct work_struct work;
	struct pin_fixture *f;
	struct rnd_state rnd;
	const char *bad;
};

static const char *hammer_once(struct pin_fixture *f, u32 r)
{
	unsigned long pfn = f->pfn + (r & 1) * CHUNK + (r >> 1) % (CHUNK - 16);
	unsigned int nr = 1 + (r >> 12) % 16;
	bool whole = (r >> 16) % 2;

	if (pageless_pin(pfn, nr, whole, GFP_KERNEL))
		return "not pinned";
	if (!pinned(pfn, 1) || !pinned(pfn + nr - 1, 1))
		return "does not look pinned";
	pageless_unpin(pfn, nr, whole);
	return NULL;
}

static void hammer(struct work_struct *work)
{
	struct hammer *h = container_of(work, struct hammer, work);
	int i;

	for (i = 0; i < ROUNDS && !h->bad; i++) {
		h->bad = hammer_once(h->f, prandom_u32_state(&h->rnd));
		/* Let the table run empty now and then. */
		if (i % (ROUNDS / 8) == 0)
			msleep(120);
		cond_resched();
	}
}

static void threads_hammer_two_chunks(struct kunit *test)
{
	struct hammer *h = kunit_kcalloc(test, THREADS, sizeof(*h), GFP_KERNEL);
	struct pin_fixture *f = test->priv;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, h);
	for (i = 0; i < THREADS; i++) {
		h[i].f = f;
		prandom_seed_state(&h[i].rnd, i);
		INIT_WORK(&h[i].work, hammer);
		queue_work(system_unbound_wq, &h[i].work);
	}
	for (i = 0; i < THREADS; i++) {
		flush_work(&h[i].work);
		KUNIT_EXPECT_STREQ(test, h[i].bad ?: "", "");
	}
	KUNIT_EXPECT_FALSE(test, pinned(f->pfn - HEAD, NR_PFNS));
	KUNIT_EXPECT_TRUE(test, table_empty(&f->range));
}

static struct kunit_case pin_cases[] = {
	KUNIT_CASE(frame_is_pinned_alone),
	KUNIT_CASE(pins_of_a_frame_add_up),
	KUNIT_CASE(span_is_pinned_frame_by_frame),
	KUNIT_CASE(span_is_given_back_in_other_pieces),
	KUNIT_CASE(whole_chunk_pins_each_frame),
	KUNIT_CASE(whole_chunk_and_frame_are_counted_apart),
	KUNIT_CASE(pin_reaches_the_edges_of_a_range),
	KUNIT_CASE(ranges_that_share_a_chunk_count_apart),
	KUNIT_CASE(bad_spans_are_refused),
	KUNIT_CASE_SLOW(table_has_memory_only_while_something_is_pinned),
	KUNIT_CASE(pin_without_gfp_does_not_allocate),
	KUNIT_CASE(pin_allocates_with_interrupts_disabled),
#ifdef CONFIG_FAULT_INJECTION
	KUNIT_CASE(allocation_failure_leaves_nothing),
#endif
	KUNIT_CASE(unpin_in_interrupt_wakes_waiter),
	KUNIT_CASE(removal_waits_for_pins),
	KUNIT_CASE_SLOW(threads_hammer_two_chunks),
	{}
};

static struct kunit_suite pin_suite = {
	.name = "pageless_pin",
	.init = pin_init,
	.exit = pin_exit,
	.test_cases = pin_cases,
};
kunit_test_suite(pin_suite);

MODULE_DESCRIPTION("KUnit tests for pins of page-less memory");
MODULE_LICENSE("GPL");
