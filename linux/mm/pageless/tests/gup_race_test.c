// SPDX-License-Identifier: GPL-2.0
/*
 * Truncate against pins: a frame is either seen to be pinned, or the pin comes too
 * late and is taken back. Never is a pinned frame somebody else's.
 */
#include <kunit/test.h>
#include <linux/kthread.h>
#include <linux/pagemap.h>
#include <linux/random.h>
#include "eventually.h"
#include "user_range.h"

/* Unmapping a file takes much longer than a pin. */
#define ROUNDS_OF_ENTRIES	2000
#define ROUNDS_OF_FILES		200
/* On a slow machine. */
#define FEWEST_ROUNDS		10

struct race {
	struct user_range *f;
	unsigned int order;
	bool file;			/* unmap the file; else clear the entry */
	int freed;			/* the frame is somebody else's now */
	int rounds;
	union {
		pte_t pte;
		pmd_t pmd;
		pud_t pud;
	};
};

/*
 * Takes the entry away, or puts it back. Unlike an unmap it waits for no answer to an interrupt: other
 * CPUs flush by themselves.
 */
static void race_entry(struct race *r, bool away)
{
	struct mm_struct *mm = r->f->mm;
	unsigned long addr = USER_ADDR;
	pud_t *pudp = pud_offset(p4d_offset(pgd_offset(mm, addr), addr), addr);
	pmd_t *pmdp = pmd_offset(pudp, addr);
	spinlock_t *ptl;
	pte_t *ptep;

	if (r->order == PUD_ORDER) {
		ptl = pud_lock(mm, pudp);
		if (away)
			r->pud = pudp_huge_get_and_clear(mm, addr, pudp);
		else
			set_pud_at(mm, addr, pudp, r->pud);
	} else if (r->order == PMD_ORDER) {
		ptl = pmd_lock(mm, pmdp);
		if (away)
			r->pmd = pmdp_huge_get_and_clear(mm, addr, pmdp);
		else
			set_pmd_at(mm, addr, pmdp, r->pmd);
	} else {
		ptep = pte_offset_map_lock(mm, pmdp, addr, &ptl);
		if (away)
			r->pte = ptep_get_and_clear(mm, addr, ptep);
		else
			set_pte_at(mm, addr, ptep, r->pte);
		pte_unmap(ptep);
	}
	spin_unlock(ptl);
}

static void race_pause(unsigned int most)
{
	unsigned int n = get_random_u32_below(most);

	while (n--)
		cpu_relax();
}

/* The frame has no entry and no pin: it is given to another file for a while. */
static void race_free(struct race *r)
{
	WRITE_ONCE(r->freed, 1);
	race_pause(400);
	/* Pairs with smp_rmb() in race_pin(): it is mapped again after this. */
	smp_store_release(&r->freed, 0);
	WRITE_ONCE(r->rounds, r->rounds + 1);
}

static void race_truncate_entry(struct race *r)
{
	race_entry(r, true);
	while (user_pinned(r->f, 0, 1))
		cpu_relax();
	race_free(r);
	race_entry(r, false);
	race_pause(100);
}

static void race_truncate_file(struct race *r)
{
	struct address_space *mapping = r->f->file->f_mapping;
	bool busy;

	/* As in a file system, which does not wait for pins with the lock held. */
	do {
		filemap_invalidate_lock(mapping);
		unmap_mapping_range(mapping, 0, PAGE_SIZE << r->order, 1);
		busy = user_pinned(r->f, 0, 1);
		if (!busy)
			race_free(r);
		filemap_invalidate_unlock(mapping);
		cond_resched();
	} while (busy);
	race_pause(1000);
}

static int race_thread(void *data)
{
	struct race *r = data;

	while (!kthread_should_stop()) {
		if (r->file)
			race_truncate_file(r);
		else
			race_truncate_entry(r);
		cond_resched();
	}
	return 0;
}

/* Pin and give back in a loop. Return how often a pinned frame was somebody else's. */
static int race_pin(struct kunit *test, struct race *r, unsigned long nr, int *got)
{
	unsigned long start = jiffies;
	unsigned int flags = FOLL_WRITE | (r->file ? 0 : FOLL_NOFAULT);
	int rounds = r->file ? ROUNDS_OF_FILES : ROUNDS_OF_ENTRIES;
	int i, both = 0, seen;

	for (*got = 0; time_before(jiffies, start + EVENTUALLY_JIFFIES); cond_resched()) {
		if (time_after(jiffies, start + 30 * HZ))
			rounds = FEWEST_ROUNDS;
		if (*got >= rounds && READ_ONCE(r->rounds) >= rounds)
			break;
		if (user_pin(test, USER_ADDR, nr, flags) <= 0)
			continue;
		/* Pairs with smp_store_release() in race_free(). */
		smp_rmb();
		for (i = 0, seen = 0; i < 50; i++) {
			seen |= READ_ONCE(r->freed);
			cpu_relax();
		}
		both += seen;
		++*got;
		unpin_user_pfns(r->f->extents, r->f->nr, false);
	}
	return both;
}

static void race(struct kunit *test, bool file)
{
	struct user_range *f = test->priv;
	struct race r = { .f = f, .order = user_order(test), .file = file };
	unsigned long nr = r.order == PUD_ORDER ? 4 * PAGELESS_CHUNK_PFNS :
						       PAGELESS_CHUNK_PFNS;
	struct task_struct *task;
	int both, got;

	user_map_frames(test, USER_ADDR, 0, max(nr, 1UL << r.order), r.order);
	task = kthread_run(race_thread, &r, "pageless-kunit");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	both = race_pin(test, &r, nr, &got);
	kthread_stop(task);
	f->nr = 0;

	kunit_info(test, "pinned %d times, freed %d times\n", got, r.rounds);
	KUNIT_EXPECT_EQ(test, both, 0);
	KUNIT_EXPECT_GE(test, got, FEWEST_ROUNDS);
	KUNIT_EXPECT_GE(test, r.rounds, FEWEST_ROUNDS);
}

/* Data of one file would end in another: the device writes a block that was freed. */
static void cleared_entry_or_pin_is_seen(struct kunit *test)
{
	race(test, false);
}

static void truncated_file_or_pin_is_seen(struct kunit *test)
{
	race(test, true);
}

static struct kunit_case gup_race_cases[] = {
	KUNIT_CASE_PARAM(cleared_entry_or_pin_is_seen, user_order_gen_params),
	KUNIT_CASE_PARAM(truncated_file_or_pin_is_seen, user_order_gen_params),
	{}
};

static struct kunit_suite gup_race_suite = {
	.name = "pageless_gup_race",
	.init = user_range_init,
	.exit = user_range_exit,
	.test_cases = gup_race_cases,
};
kunit_test_suite(gup_race_suite);

MODULE_DESCRIPTION("KUnit tests for pins against truncate");
MODULE_LICENSE("GPL");
