// SPDX-License-Identifier: GPL-2.0
/*
 * User memory for I/O, with or without struct pages: extents of frames, each
 * pinned. What has pages is pinned by pin_user_pages_fast(), which also faults
 * in what is absent; what has none is found here, in the page tables, without a
 * lock, and counted in the table of pin.c.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include "pageless.h"

/* A fault and the look-up after it can be undone, by writeback, truncate or mprotect(). */
#define PIN_TRIES		64
/* Pages pinned at a time, listed on the stack. */
#define PIN_BATCH		32
/* Frames of an extent that are counted one by one: unpin runs in hard interrupts. */
#define PIN_EXTENT_MAX		(SZ_1M / PAGE_SIZE)
/* What callers may ask for: of pin_user_pages_fast(), which refuses the rest, and of us. */
#define PIN_GUP_FLAGS		(FOLL_WRITE | FOLL_FORCE | FOLL_NOFAULT | FOLL_LONGTERM | \
				 FOLL_PCI_P2PDMA | FOLL_HONOR_NUMA_FAULT | FOLL_SPLIT_PINS)

/* Extents being collected for a span of user memory. */
struct pin_walk {
	struct pfn_extent *extents;
	unsigned int nr;
	unsigned int max;
	unsigned int gup_flags;
	unsigned long need_block;	/* a frame whose counters must be allocated, or 0 */
};

static bool pin_walk_full(const struct pin_walk *walk)
{
	return walk->nr == walk->max;
}

static bool pin_walk_split(const struct pin_walk *walk)
{
	return walk->gup_flags & FOLL_SPLIT_PINS;
}

/* -------- memory without struct pages ---------------------------------------- */

/* Pin @nr frames of one chunk; the caller looks again whether they are still mapped. */
static bool pin_walk_take(struct pin_walk *walk, unsigned long pfn, unsigned int nr,
			  bool whole)
{
	int err = pageless_pin(pfn, nr, whole, 0);

	if (err == -ENOMEM)
		walk->need_block = pfn;
	return !err;
}

static void pin_walk_add(struct pin_walk *walk, unsigned long pfn, unsigned int nr,
			 bool whole)
{
	struct pfn_extent *last = walk->extents + walk->nr - 1;

	if (walk->nr && pfn_extent_pageless(last) && last->whole == whole &&
	    pfn_t_to_pfn(last->pfn) + last->nr == pfn &&
	    (whole || last->nr + nr <= PIN_EXTENT_MAX) &&
	    pageless_same_range(pfn - 1, pfn)) {
		last->nr += nr;
		return;
	}
	walk->extents[walk->nr++] = (struct pfn_extent){
		.pfn = __pfn_to_pfn_t(pfn, PFN_DEV),
		.nr = nr,
		.whole = whole,
	};
}

static bool pte_pinnable(pte_t pte, bool write)
{
	return pte_present(pte) && !pte_protnone(pte) && pte_special(pte) &&
	       pte_access_permitted(pte, write);
}

/* How many entries from @ptep map frames that follow each other from *@pfn in one chunk? */
static unsigned int pin_pte_run(pte_t *ptep, unsigned int max, bool write,
				unsigned long *pfn)
{
	pte_t pte = ptep_get_lockless(ptep);
	unsigned int nr;

	if (!pte_pinnable(pte, write))
		return 0;
	*pfn = pte_pfn(pte);
	max = min(max, PAGELESS_CHUNK_PFNS - *pfn % PAGELESS_CHUNK_PFNS);
	for (nr = 1; nr < max; nr++) {
		pte = ptep_get_lockless(ptep + nr);
		if (!pte_pinnable(pte, write) || pte_pfn(pte) != *pfn + nr)
			break;
	}
	return nr;
}

/* The next of these return the first address that they did not pin. */
static unsigned long pin_walk_ptes(struct pin_walk *walk, pmd_t *pmdp, pmd_t pmd,
				   unsigned long addr, unsigned long end)
{
	bool write = walk->gup_flags & FOLL_WRITE;
	unsigned int nr;
	unsigned long pfn, again;
	pte_t *start, *ptep;

	start = ptep = pte_offset_map(&pmd, addr);
	if (!start)
		return addr;
	while (addr != end && !pin_walk_full(walk)) {
		nr = pin_pte_run(ptep, (end - addr) >> PAGE_SHIFT, write, &pfn);
		if (!nr)
			break;
		if (!pin_walk_take(walk, pfn, nr, false)) {
			/* A run may go on in a range that follows in the same chunk. */
			if (walk->need_block || !pin_walk_take(walk, pfn, 1, false))
				break;
			nr = 1;
		}
		/* Pairs with the barrier in pageless_span_pinned(). */
		if (pmd_val(pmd) != pmd_val(pmdp_get_lockless(pmdp)) ||
		    pin_pte_run(ptep, nr, write, &again) != nr || again != pfn) {
			pageless_unpin(pfn, nr, false);
			break;
		}
		pin_walk_add(walk, pfn, nr, false);
		ptep += nr;
		addr += nr * PAGE_SIZE;
	}
	pte_unmap(start);
	return addr;
}

static bool pmd_pinnable(pmd_t pmd, bool write)
{
	return pmd_special(pmd) && !pmd_protnone(pmd) && pmd_access_permitted(pmd, write);
}

static unsigned long pin_walk_huge_pmd(struct pin_walk *walk, pmd_t *pmdp, pmd_t pmd,
				       unsigned long addr, unsigned long end)
{
	unsigned long pfn = pmd_pfn(pmd) + ((addr & ~PMD_MASK) >> PAGE_SHIFT);
	bool write = walk->gup_flags & FOLL_WRITE, whole = !pin_walk_split(walk);
	unsigned int nr = (end - addr) >> PAGE_SHIFT;

	if (!pmd_pinnable(pmd, write) || pin_walk_full(walk) ||
	    !pin_walk_take(walk, pfn, nr, whole))
		return addr;
	/* Pairs with the barrier in pageless_span_pinned(). */
	if (pmd_val(pmd) != pmd_val(pmdp_get_lockless(pmdp))) {
		pageless_unpin(pfn, nr, whole);
		return addr;
	}
	pin_walk_add(walk, pfn, nr, whole);
	return end;
}

static unsigned long pin_walk_pmds(struct pin_walk *walk, pud_t *pudp, pud_t pud,
				   unsigned long addr, unsigned long end)
{
	pmd_t *pmdp = pmd_offset_lockless(pudp, pud, addr);
	unsigned long next, done;

	do {
		pmd_t pmd = pmdp_get_lockless(pmdp);

		next = pmd_addr_end(addr, end);
		if (!pmd_present(pmd))
			return addr;
		/* No more than one page table with interrupts disabled. */
		if (!pmd_leaf(pmd))
			return pin_walk_ptes(walk, pmdp, pmd, addr, next);
		done = pin_walk_huge_pmd(walk, pmdp, pmd, addr, next);
		if (done != next)
			return done;
	} while (pmdp++, addr = next, addr != end);
	return addr;
}

/* One pin for each chunk of what a PUD maps. */
static unsigned long pin_walk_huge_pud(struct pin_walk *walk, pud_t *pudp, pud_t pud,
				       unsigned long addr, unsigned long end)
{
	bool write = walk->gup_flags & FOLL_WRITE, whole = !pin_walk_split(walk);
	unsigned long pfn, next;
	unsigned int nr;

	if (!pud_special(pud) || !pud_access_permitted(pud, write))
		return addr;
	for (; addr != end && !pin_walk_full(walk); addr = next) {
		next = pmd_addr_end(addr, end);
		pfn = pud_pfn(pud) + ((addr & ~PUD_MASK) >> PAGE_SHIFT);
		nr = (next - addr) >> PAGE_SHIFT;
		if (!pin_walk_take(walk, pfn, nr, whole))
			break;
		/* Pairs with the barrier in pageless_span_pinned(). */
		if (pud_val(pud) != pud_val(READ_ONCE(*pudp))) {
			pageless_unpin(pfn, nr, whole);
			break;
		}
		pin_walk_add(walk, pfn, nr, whole);
	}
	return addr;
}

static unsigned long pin_walk_puds(struct pin_walk *walk, p4d_t *p4dp, p4d_t p4d,
				   unsigned long addr, unsigned long end)
{
	pud_t *pudp = pud_offset_lockless(p4dp, p4d, addr);
	unsigned long next, done;

	do {
		pud_t pud = READ_ONCE(*pudp);

		next = pud_addr_end(addr, end);
		if (!pud_present(pud))
			return addr;
		if (pud_leaf(pud))
			done = pin_walk_huge_pud(walk, pudp, pud, addr, next);
		else
			done = pin_walk_pmds(walk, pudp, pud, addr, next);
		if (done != next)
			return done;
	} while (pudp++, addr = next, addr != end);
	return addr;
}

static unsigned long pin_walk_p4ds(struct pin_walk *walk, pgd_t *pgdp, pgd_t pgd,
				   unsigned long addr, unsigned long end)
{
	p4d_t *p4dp = p4d_offset_lockless(pgdp, pgd, addr);
	unsigned long next, done;

	do {
		p4d_t p4d = READ_ONCE(*p4dp);

		next = p4d_addr_end(addr, end);
		if (!p4d_present(p4d))
			return addr;
		done = pin_walk_puds(walk, p4dp, p4d, addr, next);
		if (done != next)
			return done;
	} while (p4dp++, addr = next, addr != end);
	return addr;
}

/*
 * With interrupts disabled, as in gup_fast(): page tables are not freed and
 * nobody who must wait for our answer to an interrupt gets past us.
 */
static unsigned long pin_walk_lockless(struct pin_walk *walk, unsigned long addr,
				       unsigned long end)
{
	unsigned long flags, next, done;
	pgd_t *pgdp;

	local_irq_save(flags);
	pgdp = pgd_offset(current->mm, addr);
	do {
		pgd_t pgd = READ_ONCE(*pgdp);

		next = done = pgd_addr_end(addr, end);
		if (!pgd_present(pgd))
			break;
		done = pin_walk_p4ds(walk, pgdp, pgd, addr, next);
		addr = done;
	} while (pgdp++, done == next && addr != end);
	local_irq_restore(flags);
	return addr;
}

static long pin_pageless(struct pin_walk *walk, unsigned long addr, unsigned long end)
{
	unsigned long pfn, done;
	int err;

	if (walk->gup_flags & FOLL_LONGTERM)
		return 0;	/* pin_user_pages_fast() refuses */

	walk->need_block = 0;
	done = pin_walk_lockless(walk, addr, end);
	pfn = walk->need_block;
	if (done == addr && pfn) {
		/* Any pin brings the counters into being. */
		err = pageless_pin(pfn, 1, false, GFP_KERNEL);
		if (err)
			return err == -ENOMEM ? err : 0;
		walk->need_block = 0;
		done = pin_walk_lockless(walk, addr, end);
		pageless_unpin(pfn, 1, false);
	}
	return (done - addr) >> PAGE_SHIFT;
}

/* -------- memory with struct pages ------------------------------------------- */

static bool pin_pages_extend(struct pfn_extent *last, struct page *page)
{
	struct page *end = pfn_extent_page(last) + last->nr;

	return end == page && page_folio(end - 1) == page_folio(page);
}

static long pin_pages(struct pin_walk *walk, unsigned long addr, unsigned long end)
{
	unsigned int max = min_t(unsigned long, walk->max - walk->nr, PIN_BATCH);
	unsigned int first = walk->nr;
	struct page *pages[PIN_BATCH];
	int i, nr;

	nr = pin_user_pages_fast(addr, min_t(unsigned long, max, (end - addr) >> PAGE_SHIFT),
				 walk->gup_flags & ~FOLL_SPLIT_PINS, pages);
	for (i = 0; i < nr; i++) {
		if (walk->nr > first &&
		    pin_pages_extend(&walk->extents[walk->nr - 1], pages[i]))
			walk->extents[walk->nr - 1].nr++;
		else
			walk->extents[walk->nr++] = (struct pfn_extent){
				.pfn = page_to_pfn_t(pages[i]),
				.nr = 1,
			};
	}
	return nr;
}

/* -------- both ----------------------------------------------------------------- */

/* Pin what follows @addr and is of one kind. */
static long pin_some(struct pin_walk *walk, unsigned long addr, unsigned long end)
{
	int tries;
	long nr;

	for (tries = 0; tries < PIN_TRIES; tries++) {
		nr = pin_pageless(walk, addr, end);
		if (nr)
			return nr;
		/* Faults @addr in, and fails with -EFAULT if no page is there then. */
		nr = pin_pages(walk, addr, end);
		if (nr != -EFAULT || (walk->gup_flags & FOLL_NOFAULT))
			return nr;
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return nr;
}

/**
 * pin_user_pfns() - pin user memory with or without struct pages for I/O
 * @start: user address, of the current process
 * @nr_pages: frames wanted
 * @gup_flags: FOLL_WRITE, FOLL_NOFAULT, FOLL_LONGTERM, FOLL_PCI_P2PDMA and the
 *	others that pin_user_pages_fast() takes: as for that; FOLL_SPLIT_PINS: the
 *	caller gives frames back one by one, by unpin_user_pfn()
 * @extents: where to put what was pinned
 * @nr_extents: in: how many of them there are; out: how many were filled
 *
 * Like pin_user_pages_fast(), but for any memory, and by extents: frames that
 * follow each other in one folio, or in one page-less range. Mappings of all
 * kinds may alternate.
 *
 * A page-less frame that is pinned is not freed by its file system, which waits
 * for the pin in dax_break_layout(), and its range stays. So pins are for I/O
 * that ends by itself: with FOLL_LONGTERM file system DAX gives -EOPNOTSUPP.
 *
 * Context: process context, may sleep and fault; takes mmap_lock unless all is
 * mapped already.
 * Return: frames pinned, fewer than @nr_pages when there was no room for more
 * extents or the rest cannot be pinned, to be given back by unpin_user_pfns();
 * or the errno of pin_user_pages_fast() when nothing was pinned. Any other flag is
 * -EINVAL and a warning, for memory of both kinds.
 */
long pin_user_pfns(unsigned long start, unsigned long nr_pages, unsigned int gup_flags,
		   struct pfn_extent *extents, unsigned int *nr_extents)
{
	struct pin_walk walk = {
		.extents = extents,
		.max = *nr_extents,
		.gup_flags = gup_flags,
	};
	unsigned long addr, end;
	long nr = -EINVAL;

	*nr_extents = 0;
	if (WARN_ON_ONCE(gup_flags & ~PIN_GUP_FLAGS))
		return -EINVAL;
	start = untagged_addr(start) & PAGE_MASK;
	if (nr_pages > ULONG_MAX >> PAGE_SHIFT ||
	    check_add_overflow(start, nr_pages << PAGE_SHIFT, &end))
		return -EOVERFLOW;
	if (end > TASK_SIZE_MAX || !access_ok((void __user *)start, end - start))
		return -EFAULT;

	for (addr = start; addr != end && !pin_walk_full(&walk); addr += nr << PAGE_SHIFT) {
		nr = pin_some(&walk, addr, end);
		if (nr <= 0)
			break;
	}
	*nr_extents = walk.nr;
	return addr == start ? nr : (addr - start) >> PAGE_SHIFT;
}
EXPORT_SYMBOL_GPL(pin_user_pfns);

/* Each chunk that it touches was pinned by itself. */
static void pageless_unpin_extent(const struct pfn_extent *extent)
{
	unsigned long next, pfn = pfn_t_to_pfn(extent->pfn), end = pfn + extent->nr;

	for (; pfn < end; pfn = next) {
		next = min(ALIGN(pfn + 1, PAGELESS_CHUNK_PFNS), end);
		pageless_unpin(pfn, next - pfn, extent->whole);
	}
}

/**
 * unpin_user_pfns() - give back what pin_user_pfns() pinned
 * @extents: the extents
 * @nr_extents: how many
 * @dirty: the frames were written
 *
 * Context: any for page-less extents and for !@dirty; else as
 * unpin_user_page_range_dirty_lock().
 */
void unpin_user_pfns(const struct pfn_extent *extents, unsigned int nr_extents, bool dirty)
{
	for (; nr_extents--; extents++) {
		if (pfn_extent_pageless(extents))
			pageless_unpin_extent(extents);
		else
			unpin_user_page_range_dirty_lock(pfn_extent_page(extents),
							 extents->nr, dirty);
	}
}
EXPORT_SYMBOL_GPL(unpin_user_pfns);

/**
 * pin_user_pfn_again() - one more pin of a frame that is pinned
 * @pfn: a frame of an extent that pin_user_pfns() gave with FOLL_SPLIT_PINS
 *
 * Context: any.
 */
void pin_user_pfn_again(pfn_t pfn)
{
	if (pfn_t_pageless(pfn))
		pageless_pin_again(pfn_t_to_pfn(pfn));
	else
		folio_add_pin(page_folio(pfn_t_to_page(pfn)));
}
EXPORT_SYMBOL_GPL(pin_user_pfn_again);

/**
 * unpin_user_pfn() - give back one pin of one frame
 * @pfn: as for pin_user_pfn_again()
 *
 * Context: any.
 */
void unpin_user_pfn(pfn_t pfn)
{
	if (pfn_t_pageless(pfn))
		pageless_unpin(pfn_t_to_pfn(pfn), 1, false);
	else
		unpin_user_page(pfn_t_to_page(pfn));
}
EXPORT_SYMBOL_GPL(unpin_user_pfn);
