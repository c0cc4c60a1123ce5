// SPDX-License-Identifier: GPL-2.0
/*
 * User memory pinned for I/O: which extents pin_user_pfns() makes of it, what it
 * faults in and what it refuses. Nobody touches the memory.
 */
#include <kunit/test.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/workqueue.h>
#include "eventually.h"
#include "user_range.h"

#define CHUNK		PAGELESS_CHUNK_PFNS
/* To write what is there already. */
#define WRITE_MAPPED	(FOLL_WRITE | FOLL_NOFAULT)

/* -------- extents ------------------------------------------------------------ */

/* A driver that gets a frame in an extent that it is not in writes other people's data. */
static void frames_that_follow_are_one_extent(struct kunit *test)
{
	struct user_range *f = test->priv;

	user_map_frames(test, USER_ADDR, 5, 8, 0);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, 8, WRITE_MAPPED), 8);
	KUNIT_EXPECT_EQ(test, f->nr, 1);
	user_expect_frames(test, 0, 5, 8, false);
	KUNIT_EXPECT_EQ(test, user_pins(f), 8);
	KUNIT_EXPECT_FALSE(test, user_pinned(f, 0, 5));
	KUNIT_EXPECT_TRUE(test, user_pinned(f, 5, 1));
	KUNIT_EXPECT_TRUE(test, user_pinned(f, 12, 1));
	KUNIT_EXPECT_FALSE(test, user_pinned(f, 13, 1000));
	user_unpin(test);

	/* A part of it, from the middle of a page. */
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR + 2 * PAGE_SIZE + 123, 3, FOLL_NOFAULT), 3);
	KUNIT_EXPECT_EQ(test, f->nr, 1);
	user_expect_frames(test, 0, 7, 3, false);
	user_unpin(test);
	KUNIT_EXPECT_EQ(test, f->faults, 0);
}

static void gap_ends_an_extent(struct kunit *test)
{
	struct user_range *f = test->priv;
	int i;

	user_map_frames(test, USER_ADDR, 0, 4, 0);
	user_map_frames(test, USER_ADDR + 4 * PAGE_SIZE, 8, 4, 0);
	for (i = 0; i < 3; i++)
		user_map_frames(test, USER_ADDR + (8 + i) * PAGE_SIZE, 22 - i, 1, 0);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, 11, WRITE_MAPPED), 11);
	KUNIT_EXPECT_EQ(test, f->nr, 5);
	user_expect_frames(test, 0, 0, 4, false);
	user_expect_frames(test, 1, 8, 4, false);
	for (i = 0; i < 3; i++)
		user_expect_frames(test, 2 + i, 22 - i, 1, false);
	user_unpin(test);
}

/* One extent wherever the walk goes up: to the next table of each level, or chunk. */
static void extent_crosses_tables_and_chunks(struct kunit *test)
{
	const unsigned long addrs[] = {
		USER_ADDR + PMD_SIZE, USER_ADDR + PUD_SIZE, USER_ADDR + PGDIR_SIZE,
	};
	const unsigned long frames[] = { 100, 2 * CHUNK - 2, 4 * CHUNK - 1, 6 * CHUNK - 3 };
	struct user_range *f = test->priv;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(addrs); i++) {
		for (j = 0; j < ARRAY_SIZE(frames); j++) {
			unsigned long addr = addrs[i] - 2 * PAGE_SIZE;

			user_map_frames(test, addr, frames[j], 4, 0);
			/* Twice: with and without new counters for the chunks. */
			KUNIT_EXPECT_EQ(test, user_pin(test, addr, 4, WRITE_MAPPED), 4);
			KUNIT_EXPECT_EQ(test, f->nr, 1);
			user_expect_frames(test, 0, frames[j], 4, false);
			KUNIT_EXPECT_EQ(test, user_pins(f), 4);
			user_unpin(test);
			KUNIT_EXPECT_EQ(test, user_pin(test, addr, 4, WRITE_MAPPED), 4);
			KUNIT_EXPECT_EQ(test, f->nr, 1);
			user_unpin(test);
		}
	}
}

/* 1 MiB mapped by a PMD is to cost one pin. */
static void pmd_is_pinned_as_a_whole(struct kunit *test)
{
	const unsigned long spans[][2] = { { 0, CHUNK }, { 3, 7 }, { CHUNK - 1, 1 }, { 0, 1 } };
	struct user_range *f = test->priv;
	int i;

	user_map_frames(test, USER_ADDR, 2 * CHUNK, CHUNK, PMD_ORDER);
	for (i = 0; i < ARRAY_SIZE(spans); i++) {
		unsigned long first = spans[i][0], nr = spans[i][1];

		KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR + first * PAGE_SIZE, nr,
					       WRITE_MAPPED), nr);
		KUNIT_EXPECT_EQ(test, f->nr, 1);
		user_expect_frames(test, 0, 2 * CHUNK + first, nr, true);
		KUNIT_EXPECT_EQ(test, user_pins(f), 1);
		KUNIT_EXPECT_TRUE(test, user_pinned(f, 2 * CHUNK + (first + 9) % CHUNK, 1));
		KUNIT_EXPECT_FALSE(test, user_pinned(f, CHUNK, CHUNK));
		KUNIT_EXPECT_FALSE(test, user_pinned(f, 3 * CHUNK, CHUNK));
		user_unpin(test);
	}
	KUNIT_EXPECT_EQ(test, f->faults, 0);
}

static void pmds_are_joined_when_their_frames_follow(struct kunit *test)
{
	struct user_range *f = test->priv;
	unsigned long addr = USER_ADDR;

	user_map_frames(test, addr, 4 * CHUNK, 2 * CHUNK, PMD_ORDER);
	user_map_frames(test, addr + 2 * PMD_SIZE, 8 * CHUNK, CHUNK, PMD_ORDER);
	/* Not joined with the PMD: it is given back in another way. */
	user_map_frames(test, addr + 3 * PMD_SIZE, 9 * CHUNK, 8, 0);

	KUNIT_EXPECT_EQ(test, user_pin(test, addr + 500 * PAGE_SIZE, 24, FOLL_WRITE), 24);
	KUNIT_EXPECT_EQ(test, f->nr, 1);
	user_expect_frames(test, 0, 4 * CHUNK + 500, 24, true);
	KUNIT_EXPECT_EQ(test, user_pins(f), 2);
	user_unpin(test);

	KUNIT_EXPECT_EQ(test, user_pin(test, addr, 3 * CHUNK + 8, FOLL_WRITE), 3 * CHUNK + 8);
	KUNIT_EXPECT_EQ(test, f->nr, 3);
	user_expect_frames(test, 0, 4 * CHUNK, 2 * CHUNK, true);
	user_expect_frames(test, 1, 8 * CHUNK, CHUNK, true);
	user_expect_frames(test, 2, 9 * CHUNK, 8, false);
	KUNIT_EXPECT_EQ(test, user_pins(f), 3 + 8);
	user_unpin(test);
}

static void pud_is_pinned_chunk_by_chunk(struct kunit *test)
{
	struct user_range *f = test->priv;

	user_map_frames(test, USER_ADDR, 0, 2 * PTRS_PER_PMD * CHUNK, PUD_ORDER);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, 3 * CHUNK, WRITE_MAPPED),
			3 * CHUNK);
	KUNIT_EXPECT_EQ(test, f->nr, 1);
	user_expect_frames(test, 0, 0, 3 * CHUNK, true);
	KUNIT_EXPECT_EQ(test, user_pins(f), 3);
	user_unpin(test);

	/* The last of one and the first of the next. */
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR + PUD_SIZE - PAGE_SIZE, 2, FOLL_NOFAULT), 2);
	KUNIT_EXPECT_EQ(test, f->nr, 1);
	user_expect_frames(test, 0, PTRS_PER_PMD * CHUNK - 1, 2, true);
	KUNIT_EXPECT_EQ(test, user_pins(f), 2);
	KUNIT_EXPECT_FALSE(test, user_pinned(f, 0, (PTRS_PER_PMD - 1) * CHUNK));
	user_unpin(test);
	KUNIT_EXPECT_EQ(test, f->faults, 0);
}

/* As a file that has no huge pages: an extent must not keep unpin busy for long. */
static void long_runs_are_cut(struct kunit *test)
{
	struct user_range *f = test->priv;
	unsigned long nr = 0;
	int i;

	user_map_frames(test, USER_ADDR + SZ_4K, 10, 3 * CHUNK, 0);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR + SZ_4K, 3 * CHUNK, WRITE_MAPPED),
			3 * CHUNK);
	KUNIT_EXPECT_EQ(test, user_pins(f), 3 * CHUNK);
	for (i = 0; i < f->nr; i++) {
		user_expect_frames(test, i, 10 + nr, f->extents[i].nr, false);
		KUNIT_EXPECT_LE(test, f->extents[i].nr, CHUNK);
		nr += f->extents[i].nr;
	}
	KUNIT_EXPECT_EQ(test, nr, 3 * CHUNK);
	user_unpin(test);
	KUNIT_EXPECT_EQ(test, f->faults, 0);
}

/* Two devices whose memory touches, in a file system that is on both. */
static void ranges_are_not_joined(struct kunit *test)
{
	struct user_range *f = test->priv;
	int i;

	user_range_add(test, &f->next, f->pfn + USER_RANGE_PFNS + 8, 8);
	user_map_frames(test, USER_ADDR, USER_RANGE_PFNS + 4, 8, 0);
	/* Twice: with and without new counters. */
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, 8, WRITE_MAPPED), 8);
		KUNIT_EXPECT_EQ(test, f->nr, 2);
		if (f->nr == 2) {
			user_expect_frames(test, 0, USER_RANGE_PFNS + 4, 4, false);
			user_expect_frames(test, 1, USER_RANGE_PFNS + 8, 4, false);
		}
		user_unpin(test);
	}
	KUNIT_EXPECT_FALSE(test, user_pinned(f, USER_RANGE_PFNS, CHUNK));
}

/* -------- both kinds --------------------------------------------------------- */

static void kinds_alternate(struct kunit *test)
{
	struct user_range *f = test->priv;
	unsigned long addr = USER_ADDR + PMD_SIZE - 7 * PAGE_SIZE;

	user_map_pages(test, addr, 2);
	user_map_frames(test, addr + 2 * PAGE_SIZE, 20, 3, 0);
	user_map_pages(test, addr + 5 * PAGE_SIZE, 2);
	user_map_frames(test, addr + 7 * PAGE_SIZE, CHUNK, CHUNK, PMD_ORDER);
	user_map_pages(test, addr + 7 * PAGE_SIZE + PMD_SIZE, 1);

	KUNIT_EXPECT_EQ(test, user_pin(test, addr, 8 + CHUNK, FOLL_WRITE), 8 + CHUNK);
	KUNIT_EXPECT_EQ(test, f->nr, 7);
	/* Small pages are never joined, even if their frames follow. */
	user_expect_pages(test, 0, addr, 1);
	user_expect_pages(test, 1, addr + PAGE_SIZE, 1);
	user_expect_frames(test, 2, 20, 3, false);
	user_expect_pages(test, 3, addr + 5 * PAGE_SIZE, 1);
	user_expect_pages(test, 4, addr + 6 * PAGE_SIZE, 1);
	user_expect_frames(test, 5, CHUNK, CHUNK, true);
	user_expect_pages(test, 6, addr + 7 * PAGE_SIZE + PMD_SIZE, 1);
	KUNIT_EXPECT_EQ(test, user_page_pins(pfn_extent_page(&f->extents[0])), 1);
	KUNIT_EXPECT_EQ(test, user_page_pins(pfn_extent_page(&f->extents[6])), 1);
	user_unpin(test);
	KUNIT_EXPECT_EQ(test, user_page_pins(user_page_at(test, addr)), 0);
	KUNIT_EXPECT_EQ(test, user_page_pins(user_page_at(test, addr + 6 * PAGE_SIZE)), 0);
}

/* The zero page is a special entry as page-less frames are. */
static void zero_page_is_a_page(struct kunit *test)
{
	struct user_range *f = test->priv;

	user_map(test, NULL, USER_ADDR, 0, 2, PROT_READ | PROT_WRITE);
	user_fault(test, USER_ADDR, 2, false);
	user_map_frames(test, USER_ADDR + 2 * PAGE_SIZE, 0, 1, 0);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, 3, 0), 3);
	KUNIT_EXPECT_EQ(test, f->nr, 3);
	KUNIT_EXPECT_PTR_EQ(test, pfn_extent_page(&f->extents[0]), ZERO_PAGE(0));
	user_expect_pages(test, 1, USER_ADDR + PAGE_SIZE, 1);
	user_expect_frames(test, 2, 0, 1, false);
	user_unpin(test);
	/* Written, it is replaced by a page of its own. */
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, 3, FOLL_WRITE), 3);
	KUNIT_EXPECT_PTR_NE(test, pfn_extent_page(&f->extents[0]), ZERO_PAGE(0));
	user_unpin(test);
}

static void pages_of_a_folio_are_joined(struct kunit *test)
{
	struct user_range *f = test->priv;
	struct folio *folio;
	long nr = 0;
	int i;

	user_map(test, NULL, USER_ADDR, 0, CHUNK, PROT_READ | PROT_WRITE);
	mmap_write_lock(f->mm);
	vm_flags_set(vma_lookup(f->mm, USER_ADDR), VM_HUGEPAGE);
	mmap_write_unlock(f->mm);
	user_fault(test, USER_ADDR, 1, true);
	folio = page_folio(user_page_at(test, USER_ADDR));
	if (folio_nr_pages(folio) != CHUNK)
		kunit_skip(test, "no huge page");

	/* As many as there might be extents. */
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR + 3 * PAGE_SIZE, USER_EXTENTS, 0),
			USER_EXTENTS);
	KUNIT_EXPECT_EQ(test, f->nr, 1);
	user_expect_pages(test, 0, USER_ADDR + 3 * PAGE_SIZE, USER_EXTENTS);
	user_unpin(test);

	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR + 3 * PAGE_SIZE, 100, FOLL_WRITE), 100);
	for (i = 0; i < f->nr; i++) {
		KUNIT_EXPECT_PTR_EQ(test, pfn_extent_page(&f->extents[i]),
				    folio_page(folio, 3 + nr));
		nr += f->extents[i].nr;
	}
	KUNIT_EXPECT_EQ(test, nr, 100);
	KUNIT_EXPECT_EQ(test, atomic_read(&folio->_pincount), 100);
	user_unpin(test);
	KUNIT_EXPECT_EQ(test, atomic_read(&folio->_pincount), 0);
}

/* -------- how much ----------------------------------------------------------- */

static void room_for_one_extent(struct kunit *test)
{
	struct user_range *f = test->priv;
	const struct pfn_extent none = { .nr = 4711 };
	unsigned long addr = USER_ADDR;
	const struct {
		unsigned long addr;
		long nr;
	} at[] = {
		{ addr, 4 },			/* then a gap */
		{ addr + 4 * PAGE_SIZE, 2 },	/* then a page */
		{ addr + 6 * PAGE_SIZE, 1 },	/* a page, then one more */
		{ addr + 7 * PAGE_SIZE, 1 },	/* a page, then frames */
		{ addr + PMD_SIZE + 8, CHUNK },
		{ addr + PUD_SIZE + 8, CHUNK },
	};
	int i;

	user_map_frames(test, addr, 0, 4, 0);
	user_map_frames(test, addr + 4 * PAGE_SIZE, 10, 2, 0);
	user_map_pages(test, addr + 6 * PAGE_SIZE, 2);
	user_map_frames(test, addr + 8 * PAGE_SIZE, 12, 1, 0);
	user_map_frames(test, addr + PMD_SIZE, CHUNK, 2 * CHUNK, PMD_ORDER);
	user_map_frames(test, addr + PUD_SIZE, 0, PTRS_PER_PMD * CHUNK, PUD_ORDER);
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		f->nr = 1;
		f->extents[1] = none;
		/* What is not asked for may come with it, so that it is more at most. */
		KUNIT_EXPECT_GE(test, pin_user_pfns(at[i].addr, 2 * CHUNK, FOLL_WRITE,
						    f->extents, &f->nr), at[i].nr);
		KUNIT_EXPECT_EQ(test, f->nr, 1);
		KUNIT_EXPECT_GE(test, f->extents[0].nr, at[i].nr);
		if (i < 4)
			KUNIT_EXPECT_EQ(test, f->extents[0].nr, at[i].nr);
		KUNIT_EXPECT_MEMEQ(test, &f->extents[1], &none, sizeof(none));
		user_unpin(test);
	}
	f->nr = 0;
	KUNIT_EXPECT_EQ(test, pin_user_pfns(addr, 1, 0, f->extents, &f->nr), -EINVAL);
	KUNIT_EXPECT_EQ(test, f->nr, 0);
}

static void pin_ends_at_what_is_not_mapped(struct kunit *test)
{
	struct user_range *f = test->priv;

	user_map_frames(test, USER_ADDR, 0, 3, 0);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, 5, FOLL_WRITE), 3);
	KUNIT_EXPECT_EQ(test, f->nr, 1);
	user_expect_frames(test, 0, 0, 3, false);
	user_unpin(test);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR + 3 * PAGE_SIZE, 5, FOLL_WRITE), -EFAULT);
	KUNIT_EXPECT_EQ(test, f->nr, 0);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR - PUD_SIZE, 5, FOLL_WRITE), -EFAULT);
	KUNIT_EXPECT_EQ(test, f->nr, 0);
}

static void addresses_are_checked(struct kunit *test)
{
	struct user_range *f = test->priv;
	unsigned long kernel = (unsigned long)f;

	user_map_frames(test, USER_ADDR, 0, 3, 0);
	KUNIT_EXPECT_EQ(test, user_pin(test, -PAGE_SIZE, 2, 0), -EOVERFLOW);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, PHYS_PFN(-USER_ADDR), 0), -EOVERFLOW);
	KUNIT_EXPECT_EQ(test, user_pin(test, kernel, 1, 0), -EFAULT);
	KUNIT_EXPECT_EQ(test, user_pin(test, TASK_SIZE_MAX - PAGE_SIZE, 2, 0), -EFAULT);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, PHYS_PFN(TASK_SIZE_MAX), 0), -EFAULT);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, 0, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, f->nr, 0);
}

/* -------- faults and permissions ---------------------------------------------- */

static unsigned long order_pins(unsigned int order, unsigned long nr)
{
	return order ? DIV_ROUND_UP(nr, CHUNK) : nr;
}

/*
 * Maps the file at USER_ADDR, by entries of the test's order, none of them there yet; returns how many
 * frames to pin.
 */
static unsigned long map_file(struct kunit *test, unsigned long prot)
{
	struct user_range *f = test->priv;
	unsigned int order = user_order(test);
	unsigned long nr = order ? CHUNK : 5;

	f->order = order;
	user_map(test, f->file, USER_ADDR, 0, max(nr, 1UL << order), prot);
	return nr;
}

static void absent_frames_are_faulted_in(struct kunit *test)
{
	struct user_range *f = test->priv;
	unsigned long nr = map_file(test, PROT_READ | PROT_WRITE);

	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, nr, WRITE_MAPPED), -EFAULT);
	KUNIT_EXPECT_EQ(test, f->faults, 0);
	KUNIT_EXPECT_EQ(test, f->nr, 0);

	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, nr, FOLL_WRITE), nr);
	KUNIT_EXPECT_EQ(test, f->faults, f->order ? 1 : nr);
	KUNIT_EXPECT_EQ(test, f->nr, 1);
	user_expect_frames(test, 0, 0, nr, f->order);
	KUNIT_EXPECT_EQ(test, user_pins(f), order_pins(f->order, nr));
	user_unpin(test);
}

/* A device that writes what is only mapped for reading leaves a file that is not dirty. */
static void entry_is_made_writable_first(struct kunit *test)
{
	struct user_range *f = test->priv;
	unsigned long nr = map_file(test, PROT_READ | PROT_WRITE);

	user_fault(test, USER_ADDR, nr, false);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, nr, FOLL_NOFAULT), nr);
	user_expect_frames(test, 0, 0, nr, f->order);
	user_unpin(test);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, nr, WRITE_MAPPED), -EFAULT);

	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, nr, FOLL_WRITE), nr);
	user_expect_frames(test, 0, 0, nr, f->order);
	user_unpin(test);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, nr, WRITE_MAPPED), nr);
	user_unpin(test);
}

static void read_only_mapping_is_not_written(struct kunit *test)
{
	struct user_range *f = test->priv;
	unsigned long nr = map_file(test, PROT_READ);

	user_fault(test, USER_ADDR, nr, false);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, nr, FOLL_WRITE), -EFAULT);
	KUNIT_EXPECT_EQ(test, f->nr, 0);
	KUNIT_EXPECT_EQ(test, user_pins(f), 0);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, nr, 0), nr);
	user_unpin(test);
}

static void protection_is_obeyed(struct kunit *test)
{
	struct user_range *f = test->priv;
	unsigned int order = user_order(test);
	unsigned long nr = order ? 1UL << order : 5;

	user_map_frames(test, USER_ADDR, 0, nr, order);
	user_protect(test, USER_ADDR, nr, VM_READ);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, 5, FOLL_WRITE), -EFAULT);
	/* change_huge_pud() does not get back from PROT_NONE without a warning */
	if (order != PUD_ORDER) {
		user_protect(test, USER_ADDR, nr, 0);
		KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, 5, FOLL_WRITE), -EFAULT);
		KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, 5, 0), -EFAULT);
	}
	KUNIT_EXPECT_EQ(test, user_pins(f), 0);
	KUNIT_EXPECT_FALSE(test, user_pinned(f, 0, USER_RANGE_PFNS));
	user_protect(test, USER_ADDR, nr, VM_READ | VM_WRITE);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, 5, FOLL_WRITE), 5);
	user_expect_frames(test, 0, 0, 5, order);
	user_unpin(test);
}

/* A process that is to die does not go on faulting memory in. */
static void fatal_signal_ends_the_slow_path(struct kunit *test)
{
	struct user_range *f = test->priv;
	unsigned long nr = map_file(test, PROT_READ | PROT_WRITE);

	allow_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, nr, FOLL_WRITE), -EINTR);
	KUNIT_EXPECT_EQ(test, f->nr, 0);
	KUNIT_EXPECT_EQ(test, f->faults, 0);
	KUNIT_EXPECT_EQ(test, user_pins(f), 0);
	/* Nor does it try again and again what cannot be pinned. */
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR - PUD_SIZE, 1, FOLL_WRITE), -EINTR);
	flush_signals(current);

	/* It comes while a frame is faulted in; those before it are pinned. */
	f->fatal_fault = f->order ? 1 : 3;
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, nr, FOLL_WRITE), f->order ? -EINTR : 2);
	KUNIT_EXPECT_EQ(test, f->faults, f->fatal_fault);
	KUNIT_EXPECT_EQ(test, f->nr, f->order ? 0 : 1);
	KUNIT_EXPECT_EQ(test, user_pins(f), f->order ? 0 : 2);
	user_unpin(test);

	/* What is mapped needs no slow path. */
	nr = f->order ? CHUNK : 3;
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, nr, FOLL_WRITE), nr);
	user_expect_frames(test, 0, 0, nr, f->order);
	user_unpin(test);
	KUNIT_EXPECT_EQ(test, f->faults, f->fatal_fault);
	flush_signals(current);
	disallow_signal(SIGKILL);
}

struct mmap_lock_holder {
	struct work_struct work;
	struct mm_struct *mm;
	struct completion held, done;
	bool in_time;
};

static void hold_mmap_lock(struct work_struct *work)
{
	struct mmap_lock_holder *h = container_of(work, struct mmap_lock_holder, work);

	mmap_write_lock(h->mm);
	complete(&h->held);
	/* Who takes the lock, too, has waited in vain, and goes on. */
	h->in_time = wait_for_completion_timeout(&h->done, EVENTUALLY_JIFFIES);
	mmap_write_unlock(h->mm);
}

/* What other threads do to the address space must not hold up direct I/O. */
static void mapped_frames_are_pinned_without_mmap_lock(struct kunit *test)
{
	struct user_range *f = test->priv;
	struct mmap_lock_holder h = { .mm = f->mm };
	unsigned int order = user_order(test), i;
	unsigned long nr = order ? CHUNK : 5;

	user_map_frames(test, USER_ADDR, 0, max(nr, 1UL << order), order);
	init_completion(&h.held);
	init_completion(&h.done);
	INIT_WORK_ONSTACK(&h.work, hold_mmap_lock);
	queue_work(system_unbound_wq, &h.work);
	wait_for_completion(&h.held);
	/* Twice: with and without new counters for the chunk. */
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, nr, FOLL_WRITE), nr);
		KUNIT_EXPECT_EQ(test, f->nr, 1);
		KUNIT_EXPECT_EQ(test, user_pins(f), order ? 1 : nr);
		user_unpin(test);
	}
	complete(&h.done);
	flush_work(&h.work);
	destroy_work_on_stack(&h.work);
	KUNIT_EXPECT_TRUE(test, h.in_time);
	KUNIT_EXPECT_EQ(test, f->faults, 0);
}

/* What pin_user_pages_fast() takes, and means nothing to frames. The others: pageless_gup_warn. */
static void flags_of_pages_are_taken(struct kunit *test)
{
	const unsigned int flags[] = { FOLL_FORCE, FOLL_PCI_P2PDMA, FOLL_HONOR_NUMA_FAULT };
	struct user_range *f = test->priv;
	int i;

	user_map_pages(test, USER_ADDR, 1);
	user_map_frames(test, USER_ADDR + PAGE_SIZE, 0, 2, 0);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, 3, FOLL_WRITE | flags[i]), 3);
		KUNIT_EXPECT_EQ(test, f->nr, 2);
		user_unpin(test);
	}
}

/* Nobody can wait for a pin that lasts until user space says so. */
static void long_term_pins_are_refused(struct kunit *test)
{
	struct user_range *f = test->priv;

	user_map_pages(test, USER_ADDR, 2);
	user_map_frames(test, USER_ADDR + 2 * PAGE_SIZE, 0, 2, 0);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, 2, FOLL_WRITE | FOLL_LONGTERM), 2);
	KUNIT_EXPECT_EQ(test, f->nr, 2);
	user_expect_pages(test, 0, USER_ADDR, 1);
	user_unpin(test);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, 4, FOLL_WRITE | FOLL_LONGTERM), 2);
	user_unpin(test);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR + 2 * PAGE_SIZE, 2,
				       FOLL_WRITE | FOLL_LONGTERM), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, f->nr, 0);
}

static int unregister_thread(void *range)
{
	pageless_unregister(range);
	return 0;
}

static void range_that_is_being_removed_is_not_pinned(struct kunit *test)
{
	struct user_range *f = test->priv;
	struct task_struct *task;

	user_map_frames(test, USER_ADDR, 0, 4, 0);
	user_map_frames(test, USER_ADDR + PMD_SIZE, CHUNK, CHUNK, PMD_ORDER);
	/* With counters in both chunks, so that it is not for want of them. */
	KUNIT_ASSERT_EQ(test, pageless_pin(f->pfn + 9, 1, false, GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, pageless_pin(f->pfn + CHUNK + 9, 1, false, GFP_KERNEL), 0);
	f->keep_mappings = true;
	task = kthread_create(unregister_thread, &f->range, "pageless-kunit");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	get_task_struct(task);
	wake_up_process(task);
	KUNIT_EXPECT_TRUE(test, eventually(!pageless_pfn(f->pfn)));

	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, 4, FOLL_WRITE), -EFAULT);
	KUNIT_EXPECT_EQ(test, f->nr, 0);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR + PMD_SIZE, 4, FOLL_WRITE), -EFAULT);
	KUNIT_EXPECT_EQ(test, f->nr, 0);
	KUNIT_EXPECT_EQ(test, user_pins(f), 2);

	user_unmap_file(f);
	pageless_unpin(f->pfn + 9, 1, false);
	pageless_unpin(f->pfn + CHUNK + 9, 1, false);
	kthread_stop(task);
	put_task_struct(task);
	f->range.size = 0;
}

#ifdef CONFIG_FAULT_INJECTION
/* Fails the @nth allocation. Whether there are so many. */
static bool pin_with_failure(struct kunit *test, int nth, long *ret)
{
	struct user_range *f = test->priv;
	bool injected;

	current->fail_nth = nth;
	*ret = user_pin(test, USER_ADDR, 4, FOLL_WRITE);
	injected = !current->fail_nth;
	current->fail_nth = 0;
	/* All if it was tried again, nothing, or what is in the first chunk. */
	if (*ret != 4)
		KUNIT_EXPECT_EQ(test, *ret, f->nr ? 2 : -ENOMEM);
	user_unpin(test);
	/* The next one is to need new counters again. */
	flush_delayed_work(&f->range.pins.reap);
	KUNIT_ASSERT_TRUE(test, xa_empty(&f->range.pins.blocks));
	return injected;
}

/* As every_allocation_may_fail() of the range tests. */
static void allocation_failure_leaves_no_pin(struct kunit *test)
{
	bool nothing = false, first_chunk = false;
	int nth, sweep;
	long ret;

	user_map_frames(test, USER_ADDR, CHUNK - 2, 4, 0);
	/* What checks the kernel allocates now and then, too, and may take a failure from us. */
	for (sweep = 0; sweep < 5 && !(nothing && first_chunk); sweep++) {
		for (nth = 1; pin_with_failure(test, nth, &ret); nth++) {
			KUNIT_ASSERT_LT(test, nth, 50);
			nothing |= ret == -ENOMEM;
			first_chunk |= ret == 2;
		}
		KUNIT_EXPECT_EQ(test, ret, 4);
	}
	KUNIT_EXPECT_TRUE(test, nothing);
	KUNIT_EXPECT_TRUE(test, first_chunk);
}
#endif

/* -------- pins one by one ----------------------------------------------------- */

/* fs/direct-io.c keeps and gives back single pages. */
static void split_pins_go_frame_by_frame(struct kunit *test)
{
	struct user_range *f = test->priv;
	unsigned int order = user_order(test), i;
	unsigned long nr = order ? 1UL << order : 20, first = CHUNK - 5;
	unsigned int flags = FOLL_WRITE | FOLL_SPLIT_PINS;

	if (!order)
		first = 3;
	if (order == PMD_ORDER)
		first = 100;
	user_map_frames(test, USER_ADDR, 0, nr, order);
	KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR + first * PAGE_SIZE, 10, flags), 10);
	KUNIT_EXPECT_EQ(test, f->nr, 1);
	user_expect_frames(test, 0, first, 10, false);
	KUNIT_EXPECT_EQ(test, user_pins(f), 10);
	KUNIT_EXPECT_FALSE(test, user_pinned(f, 0, first));
	KUNIT_EXPECT_FALSE(test, user_pinned(f, first + 10, CHUNK));

	pin_user_pfn_again(__pfn_to_pfn_t(f->pfn + first + 1, PFN_DEV));
	KUNIT_EXPECT_EQ(test, user_pins(f), 11);
	for (i = 0; i < 10; i++) {
		KUNIT_EXPECT_TRUE(test, user_pinned(f, first + i, 1));
		unpin_user_pfn(__pfn_to_pfn_t(f->pfn + first + i, PFN_DEV));
		KUNIT_EXPECT_EQ(test, user_pinned(f, first + i, 1), i == 1);
	}
	unpin_user_pfn(__pfn_to_pfn_t(f->pfn + first + 1, PFN_DEV));
	KUNIT_EXPECT_EQ(test, user_pins(f), 0);
}

static void split_pins_of_pages(struct kunit *test)
{
	struct user_range *f = test->priv;
	struct page *page;

	user_map_pages(test, USER_ADDR, 1);
	user_map_frames(test, USER_ADDR + PAGE_SIZE, 0, 1, 0);
	KUNIT_ASSERT_EQ(test, user_pin(test, USER_ADDR, 2, FOLL_WRITE | FOLL_SPLIT_PINS), 2);
	KUNIT_ASSERT_EQ(test, f->nr, 2);
	page = user_page_at(test, USER_ADDR);
	pin_user_pfn_again(f->extents[0].pfn);
	KUNIT_EXPECT_EQ(test, user_page_pins(page), 2);
	unpin_user_pfn(f->extents[0].pfn);
	unpin_user_pfn(f->extents[0].pfn);
	KUNIT_EXPECT_EQ(test, user_page_pins(page), 0);
	KUNIT_EXPECT_EQ(test, user_pins(f), 1);
	unpin_user_pfn(f->extents[1].pfn);
	KUNIT_EXPECT_EQ(test, user_pins(f), 0);
}

static struct kunit_case gup_cases[] = {
	KUNIT_CASE(frames_that_follow_are_one_extent),
	KUNIT_CASE(gap_ends_an_extent),
	KUNIT_CASE(extent_crosses_tables_and_chunks),
	KUNIT_CASE(pmd_is_pinned_as_a_whole),
	KUNIT_CASE(pmds_are_joined_when_their_frames_follow),
	KUNIT_CASE(pud_is_pinned_chunk_by_chunk),
	KUNIT_CASE(long_runs_are_cut),
	KUNIT_CASE(ranges_are_not_joined),
	KUNIT_CASE(kinds_alternate),
	KUNIT_CASE(zero_page_is_a_page),
	KUNIT_CASE(pages_of_a_folio_are_joined),
	KUNIT_CASE(room_for_one_extent),
	KUNIT_CASE(pin_ends_at_what_is_not_mapped),
	KUNIT_CASE(addresses_are_checked),
	KUNIT_CASE_PARAM(absent_frames_are_faulted_in, user_order_gen_params),
	KUNIT_CASE_PARAM(entry_is_made_writable_first, user_order_gen_params),
	KUNIT_CASE_PARAM(read_only_mapping_is_not_written, user_order_gen_params),
	KUNIT_CASE_PARAM(protection_is_obeyed, user_order_gen_params),
	KUNIT_CASE_PARAM(fatal_signal_ends_the_slow_path, user_order_gen_params),
	KUNIT_CASE_PARAM(mapped_frames_are_pinned_without_mmap_lock, user_order_gen_params),
	KUNIT_CASE(flags_of_pages_are_taken),
	KUNIT_CASE(long_term_pins_are_refused),
	KUNIT_CASE(range_that_is_being_removed_is_not_pinned),
#ifdef CONFIG_FAULT_INJECTION
	KUNIT_CASE(allocation_failure_leaves_no_pin),
#endif
	KUNIT_CASE_PARAM(split_pins_go_frame_by_frame, user_order_gen_params),
	KUNIT_CASE(split_pins_of_pages),
	{}
};

static struct kunit_suite gup_suite = {
	.name = "pageless_gup",
	.init = user_range_init,
	.exit = user_range_exit,
	.test_cases = gup_cases,
};

/* What warns: a suite of its own, because elsewhere the log must stay clean. */
static void other_flags_are_refused(struct kunit *test)
{
	const unsigned int taken = FOLL_WRITE | FOLL_FORCE | FOLL_NOFAULT | FOLL_LONGTERM |
				   FOLL_PCI_P2PDMA | FOLL_HONOR_NUMA_FAULT | FOLL_SPLIT_PINS;
	struct user_range *f = test->priv;
	unsigned int bit;

	/* Not at boot, but when it is run by debugfs. KUnit would skip it then, too. */
	if (system_state < SYSTEM_RUNNING)
		return;
	user_map_frames(test, USER_ADDR, 0, 2, 0);
	user_map_pages(test, USER_ADDR + 2 * PAGE_SIZE, 1);
	for (bit = 0; bit < 32; bit++) {
		if (taken & BIT(bit))
			continue;
		KUNIT_EXPECT_EQ(test, user_pin(test, USER_ADDR, 3, BIT(bit)), -EINVAL);
		KUNIT_EXPECT_EQ(test, f->nr, 0);
		user_unpin(test);
	}
}

static struct kunit_case gup_warn_cases[] = {
	KUNIT_CASE(other_flags_are_refused),
	{}
};

static struct kunit_suite gup_warn_suite = {
	.name = "pageless_gup_warn",
	.init = user_range_init,
	.exit = user_range_exit,
	.test_cases = gup_warn_cases,
};
kunit_test_suites(&gup_suite, &gup_warn_suite);

MODULE_DESCRIPTION("KUnit tests for pinning page-less user memory");
MODULE_LICENSE("GPL");
