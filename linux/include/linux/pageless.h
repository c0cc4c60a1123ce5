/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory on the memory bus that has an address in the kernel's linear map and
 * no struct page. See Documentation/mm/pageless.rst.
 */
#ifndef _LINUX_PAGELESS_H
#define _LINUX_PAGELESS_H

#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/highmem-pfn.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/percpu-refcount.h>
#include <linux/pfn_t.h>
#include <linux/sched.h>
#include <linux/sched/coredump.h>
#include <linux/uio.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

struct device;
struct pageless_range;

/**
 * struct pageless_ops - what the owner of a range does for the core
 * @revoke: take the range away from user space: when it returns no page table
 *	entry and no file system points into the range, and none comes back.
 *	Called once, after the range stopped to be found and before the core
 *	waits for its last reference. May sleep. Optional.
 * @memory_failure: @nr frames from @pfn are poisoned; tell whoever uses them.
 *	Called with a reference to the range, may sleep, returns 0 or an errno;
 *	@mf_flags are those of memory_failure(). Optional.
 */
struct pageless_ops {
	void (*revoke)(struct pageless_range *range);
	int (*memory_failure)(struct pageless_range *range, unsigned long pfn,
			      unsigned long nr, int mf_flags);
};

/**
 * struct pageless_holder - someone who keeps a range in use for long
 * @revoke: stop using the range: what was under way has ended when it returns,
 *	and nothing begins. The core gives the reference back then. May sleep.
 *
 * For users in the kernel that go by kernel address, like a cache on persistent
 * memory: without it the removal of the device waits until they end.
 */
struct pageless_holder {
	void (*revoke)(struct pageless_holder *holder);
	/* private: */
	struct pageless_range *range;	/* NULL from when it is revoked on */
	struct list_head node;		/* pageless_holders_lock, and range */
	struct completion revoked;
};

/* The owner keeps the range in the linear map itself (s390 DCSS segments). */
#define PAGELESS_MAPPED		(1U << 0)

/* Frames of a chunk, which is what a PMD maps. Pins are counted by chunk. */
#define PAGELESS_CHUNK_PFNS	(PMD_SIZE / PAGE_SIZE)

/* Who has pinned what: mm/pageless/pin.c. It costs memory while there are pins. */
struct pageless_pins {
	struct xarray blocks;		/* of counters, by chunk; RCU, xa_lock */
	struct delayed_work reap;	/* pending or running while a block is idle */
};

/**
 * struct pageless_range - frames without a memmap that the kernel can address
 * @start: first byte, page aligned
 * @size: bytes, a multiple of PAGE_SIZE
 * @name: shown in debugfs and in the log; must live as long as the range
 * @ops: the owner's operations, or NULL
 * @owner: for the owner
 * @nid: NUMA node of the memory, or NUMA_NO_NODE
 * @flags: PAGELESS_*
 *
 * Embed it in the driver's structure, fill in the fields above and pass it to
 * devm_pageless_register(). All of them are immutable from then on.
 */
struct pageless_range {
	phys_addr_t start;
	phys_addr_t size;
	const char *name;
	const struct pageless_ops *ops;
	void *owner;
	int nid;
	unsigned int flags;
	/* private: */
	struct percpu_ref ref;		/* live while published */
	struct completion idle;		/* the last reference is gone */
	struct resource res;		/* in the iomem tree */
	struct list_head node;		/* pageless_lock */
	struct list_head holders;	/* pageless_holders_lock */
	struct pageless_pins pins;
};

/**
 * struct pfn_extent - frames that follow each other, pinned by pin_user_pfns()
 * @pfn: the first of them
 * @nr: how many
 * @whole: page-less and mapped by a huge entry: one pin for each chunk of
 *	PAGELESS_CHUNK_PFNS that they touch
 */
struct pfn_extent {
	pfn_t pfn;
	unsigned int nr;
	bool whole;
};

static inline bool pfn_extent_pageless(const struct pfn_extent *extent)
{
	return pfn_t_pageless(extent->pfn);
}

static inline struct page *pfn_extent_page(const struct pfn_extent *extent)
{
	return pfn_to_page(pfn_t_to_pfn(extent->pfn));
}

static inline unsigned long pageless_start_pfn(const struct pageless_range *range)
{
	return PHYS_PFN(range->start);
}

static inline unsigned long pageless_nr_pfns(const struct pageless_range *range)
{
	return PHYS_PFN(range->size);
}

/**
 * mm_has_pageless() - has a process ever mapped memory without struct pages?
 * @mm: its address space
 *
 * Return: false if pin_user_pages() can pin all that the process has.
 */
static inline bool mm_has_pageless(const struct mm_struct *mm)
{
	return IS_ENABLED(CONFIG_PAGELESS) && test_bit(MMF_HAS_PAGELESS, &mm->flags);
}

#ifdef CONFIG_PAGELESS

int pageless_register(struct pageless_range *range);
void pageless_unregister(struct pageless_range *range);
int devm_pageless_register(struct device *dev, struct pageless_range *range);

struct pageless_range *pageless_range_get(unsigned long pfn);
void pageless_range_put(struct pageless_range *range);
int pageless_hold(struct pageless_holder *holder, struct pageless_range *range);
void pageless_let_go(struct pageless_holder *holder);
bool pageless_pfn(unsigned long pfn);
bool pageless_intersects(phys_addr_t start, phys_addr_t size);
bool pageless_same_range(unsigned long a, unsigned long b);

long pin_user_pfns(unsigned long start, unsigned long nr_pages, unsigned int gup_flags,
		   struct pfn_extent *extents, unsigned int *nr_extents);
void unpin_user_pfns(const struct pfn_extent *extents, unsigned int nr_extents, bool dirty);
void pin_user_pfn_again(pfn_t pfn);
void unpin_user_pfn(pfn_t pfn);

int pageless_pin(unsigned long pfn, unsigned int nr, bool whole, gfp_t gfp);
void pageless_pin_again(unsigned long pfn);
void pageless_unpin(unsigned long pfn, unsigned int nr, bool whole);
bool pageless_span_pinned(unsigned long pfn, unsigned long nr, unsigned long *first);
void *pageless_pin_var(unsigned long pfn);

int pageless_memory_failure(unsigned long pfn, int mf_flags);

int pageless_vma_access(struct vm_area_struct *vma, unsigned long addr,
			void *buf, int len, int write);
int pageless_user_pfn(unsigned long addr, unsigned long *pfn);
int pageless_copy_page(struct page *to, unsigned long pfn);
struct page *pageless_dump_page(unsigned long addr);

/**
 * iov_iter_may_be_pageless() - may an iterator name memory without struct pages?
 * @i: an iterator of the current process, or of the kernel
 *
 * Return: true if iov_iter_extract_pfns() is to be used.
 */
static inline bool iov_iter_may_be_pageless(const struct iov_iter *i)
{
	return user_backed_iter(i) && mm_has_pageless(current->mm);
}

/**
 * vma_is_pageless() - may this VMA map frames that have no struct page?
 * @vma: the VMA
 *
 * dax_prepare_vma() sets VM_MIXEDMAP, and the operations tell the mappings of
 * DAX file systems from others that are VM_MIXEDMAP.
 *
 * Return: true if get_user_pages() may find no page in it.
 */
static inline bool vma_is_pageless(const struct vm_area_struct *vma)
{
	return (vma->vm_flags & VM_MIXEDMAP) && vma->vm_ops &&
	       vma->vm_ops->access == pageless_vma_access;
}

/**
 * file_is_pageless() - are mappings of this file VM_MIXEDMAP for page-less frames?
 * @file: the file, or NULL
 *
 * Return: true if it is a DAX file on a file system that has such mappings.
 */
static inline bool file_is_pageless(const struct file *file)
{
	const struct inode *inode = file ? file_inode(file) : NULL;

	return inode && IS_DAX(inode) && (inode->i_sb->s_iflags & SB_I_PAGELESS);
}

#else /* !CONFIG_PAGELESS */

static inline int pageless_register(struct pageless_range *range)
{
	return -EOPNOTSUPP;
}

static inline void pageless_unregister(struct pageless_range *range)
{
}

static inline int devm_pageless_register(struct device *dev,
					 struct pageless_range *range)
{
	return -EOPNOTSUPP;
}

static inline struct pageless_range *pageless_range_get(unsigned long pfn)
{
	return NULL;
}

static inline void pageless_range_put(struct pageless_range *range)
{
}

static inline int pageless_hold(struct pageless_holder *holder, struct pageless_range *range)
{
	return -ENODEV;
}

static inline void pageless_let_go(struct pageless_holder *holder)
{
}

static inline bool pageless_pfn(unsigned long pfn)
{
	return false;
}

static inline bool pageless_intersects(phys_addr_t start, phys_addr_t size)
{
	return false;
}

static inline bool pageless_same_range(unsigned long a, unsigned long b)
{
	return false;
}

static inline bool pageless_span_pinned(unsigned long pfn, unsigned long nr,
					unsigned long *first)
{
	return false;
}

static inline void *pageless_pin_var(unsigned long pfn)
{
	return NULL;
}

static inline int pageless_memory_failure(unsigned long pfn, int mf_flags)
{
	return -ENXIO;
}

#define pageless_vma_access	NULL

static inline bool iov_iter_may_be_pageless(const struct iov_iter *i)
{
	return false;
}

static inline void unpin_user_pfns(const struct pfn_extent *extents,
				   unsigned int nr_extents, bool dirty)
{
}

static inline void pin_user_pfn_again(pfn_t pfn)
{
	folio_add_pin(page_folio(pfn_t_to_page(pfn)));
}

static inline void unpin_user_pfn(pfn_t pfn)
{
	unpin_user_page(pfn_t_to_page(pfn));
}

static inline int pageless_user_pfn(unsigned long addr, unsigned long *pfn)
{
	return -EFAULT;
}

static inline int pageless_copy_page(struct page *to, unsigned long pfn)
{
	return -EFAULT;
}

static inline struct page *pageless_dump_page(unsigned long addr)
{
	return NULL;
}

static inline bool vma_is_pageless(const struct vm_area_struct *vma)
{
	return false;
}

static inline bool file_is_pageless(const struct file *file)
{
	return false;
}

#endif /* CONFIG_PAGELESS */

#endif /* _LINUX_PAGELESS_H */
