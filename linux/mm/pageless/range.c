// SPDX-License-Identifier: GPL-2.0
/*
 * A page-less range: says that frames without a memmap exist, finds them by
 * pfn, counts who uses them and takes them away. See
 * Documentation/mm/pageless.rst; the orders are drawn in pageless.h.
 */
#define pr_fmt(fmt) "pageless: " fmt

#include <linux/cc_platform.h>
#include <linux/device.h>
#include <linux/memory_hotplug.h>
#include <linux/mmzone.h>
#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/rcupdate.h>
#include <linux/xarray.h>
#include "pageless.h"

#define CREATE_TRACE_POINTS
#include <trace/events/pageless.h>

/* How long teardown waits in silence before it says what it is waiting for. */
#define PAGELESS_WAIT_REPORT	(10 * HZ)

/* Ranges by pfn, multi-index entries. Written under pageless_lock, read under RCU. */
DEFINE_XARRAY(pageless_ranges);

DEFINE_MUTEX(pageless_lock);
LIST_HEAD(pageless_list);	/* pageless_lock */

static DEFINE_MUTEX(pageless_holders_lock);

/* One line for each refusal: the errno alone does not tell which rule was hit. */
#define pageless_refuse(range, err, why)					\
({										\
	pr_warn_ratelimited("%s [%pa + %pa]: %s\n", (range)->name ?: "?",	\
			    &(range)->start, &(range)->size, why);		\
	err;									\
})

/* -------- look-up --------------------------------------------------------- */

/* In the xarray and not being removed. */
static bool pageless_live(struct pageless_range *range)
{
	return range && !percpu_ref_is_dying(&range->ref);
}

static bool pageless_overlaps(unsigned long pfn, unsigned long nr)
{
	return xa_find(&pageless_ranges, &pfn, pfn + nr - 1, XA_PRESENT);
}

/* -------- checks --------------------------------------------------------- */

/* Is there a memmap for any frame? A section that is not there is skipped whole. */
static bool pageless_has_memmap(unsigned long pfn, unsigned long end)
{
	while (pfn < end) {
		if (!present_section_nr(pfn_to_section_nr(pfn))) {
			pfn = SECTION_ALIGN_DOWN(pfn) + PAGES_PER_SECTION;
			continue;
		}
		if (pfn_valid(pfn))
			return true;
		pfn = ALIGN_DOWN(pfn, PAGES_PER_SUBSECTION) + PAGES_PER_SUBSECTION;
	}
	return false;
}

static int pageless_check(struct pageless_range *range)
{
	struct range mappable = { 0, -1 };
	phys_addr_t end;

	if (!range->size)
		return pageless_refuse(range, -EINVAL, "empty");
	if (!PAGE_ALIGNED(range->start) || !PAGE_ALIGNED(range->size))
		return pageless_refuse(range, -EINVAL, "not page aligned");
	/* Devices' memory is not encrypted, but what user space maps would be. */
	if (!(range->flags & PAGELESS_MAPPED) && cc_platform_has(CC_ATTR_MEM_ENCRYPT))
		return pageless_refuse(range, -EOPNOTSUPP, "memory encryption is active");
	if (check_add_overflow(range->start, range->size - 1, &end))
		return pageless_refuse(range, -EINVAL, "wraps around");
#ifdef CONFIG_MEMORY_HOTPLUG
	mappable = mhp_get_pluggable_range(true);
#endif
	if (range->start < mappable.start || end > mappable.end)
		return pageless_refuse(range, -ERANGE, "beyond the linear map");
	if (region_intersects(range->start, range->size, IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_DISJOINT)
		return pageless_refuse(range, -EBUSY, "overlaps system RAM");
	if (pageless_has_memmap(PHYS_PFN(range->start), PHYS_PFN(end) + 1))
		return pageless_refuse(range, -EBUSY, "overlaps memory that has a memmap");
	if (pageless_overlaps(pageless_start_pfn(range), pageless_nr_pfns(range)))
		return pageless_refuse(range, -EBUSY, "overlaps another range");
	return 0;
}

/* -------- publication ---------------------------------------------------- */

static void pageless_erase(struct pageless_range *range)
{
	unsigned long pfn = pageless_start_pfn(range);

	lockdep_assert_held(&pageless_lock);
	xa_store_range(&pageless_ranges, pfn, pfn + pageless_nr_pfns(range) - 1,
		       NULL, GFP_KERNEL);
}

static int pageless_publish(struct pageless_range *range)
{
	unsigned long pfn = pageless_start_pfn(range);
	int err;

	lockdep_assert_held(&pageless_lock);
	err = xa_err(xa_store_range(&pageless_ranges, pfn,
				    pfn + pageless_nr_pfns(range) - 1, range,
				    GFP_KERNEL));
	if (err) {
		pageless_erase(range);
		synchronize_rcu();
		return err;
	}
	/* Until now nobody could get a reference: the frames come all at once. */
	percpu_ref_reinit(&range->ref);
	list_add_tail(&range->node, &pageless_list);
	return 0;
}

static void pageless_unpublish(struct pageless_range *range)
{
	mutex_lock(&pageless_lock);
	list_del_init(&range->node);
	mutex_unlock(&pageless_lock);
	percpu_ref_kill(&range->ref);
	/* Pairs with rcu_read_lock() in pageless_range_get(): no new reference. */
	synchronize_rcu();
}

/* Nobody has a reference. Those who see the range under RCU are let go. */
static void pageless_retire(struct pageless_range *range)
{
	mutex_lock(&pageless_lock);
	pageless_erase(range);
	mutex_unlock(&pageless_lock);
	pageless_pins_exit(range);
	synchronize_rcu();
}

/* -------- references ------------------------------------------------------ */

static void pageless_ref_release(struct percpu_ref *ref)
{
	struct pageless_range *range = container_of(ref, struct pageless_range, ref);

	complete(&range->idle);
}

/* New ones are refused. Without the lock while one lets go: it may wait for I/O. */
static void pageless_revoke_holders(struct pageless_range *range)
{
	struct pageless_holder *holder;

	mutex_lock(&pageless_holders_lock);
	while ((holder = list_first_entry_or_null(&range->holders, struct pageless_holder,
						  node))) {
		list_del(&holder->node);
		holder->range = NULL;
		mutex_unlock(&pageless_holders_lock);
		holder->revoke(holder);
		complete(&holder->revoked);	/* it may be freed now */
		pageless_range_put(range);
		mutex_lock(&pageless_holders_lock);
	}
	mutex_unlock(&pageless_holders_lock);
}

/* Removal cannot fail, so it waits, and says what it is waiting for. */
static void pageless_wait_idle(struct pageless_range *range)
{
	size_t bytes;

	while (!wait_for_completion_timeout(&range->idle, PAGELESS_WAIT_REPORT))
		pr_warn("%s: removal waits for users of [%pa + %pa], %lu of them pins\n",
			range->name ?: "?", &range->start, &range->size,
			pageless_pins_count(range, &bytes));
}

/**
 * pageless_range_get() - look a frame's range up and keep it from going away
 * @pfn: the frame
 *
 * Context: any, hard interrupt too.
 * Return: the range, to be given back with pageless_range_put(), or NULL when
 * the frame is in no range or its range is being removed.
 */
struct pageless_range *pageless_range_get(unsigned long pfn)
{
	struct pageless_range *range;

	rcu_read_lock();
	range = pageless_find(pfn);
	if (range && !percpu_ref_tryget_live(&range->ref))
		range = NULL;
	rcu_read_unlock();
	return range;
}
EXPORT_SYMBOL_GPL(pageless_range_get);

/**
 * pageless_range_put() - give back what pageless_range_get() returned
 * @range: the range
 *
 * Context: any, hard interrupt too.
 */
void pageless_range_put(struct pageless_range *range)
{
	percpu_ref_put(&range->ref);
}
EXPORT_SYMBOL_GPL(pageless_range_put);

/**
 * pageless_hold() - be told when a range is to go away
 * @holder: with @holder->revoke set
 * @range: from pageless_range_get(); the reference becomes the holder's
 *
 * Context: process context, may sleep.
 * Return: 0; -ENODEV if the range is being removed: the reference is still the
 * caller's then.
 */
int pageless_hold(struct pageless_holder *holder, struct pageless_range *range)
{
	int err = -ENODEV;

	init_completion(&holder->revoked);
	mutex_lock(&pageless_holders_lock);
	if (!percpu_ref_is_dying(&range->ref)) {
		holder->range = range;
		list_add_tail(&holder->node, &range->holders);
		err = 0;
	}
	mutex_unlock(&pageless_holders_lock);
	return err;
}
EXPORT_SYMBOL_GPL(pageless_hold);

/**
 * pageless_let_go() - stop being a holder
 * @holder: as passed to pageless_hold(), which returned 0
 *
 * Gives the reference back unless the core has. When it returns @revoke is not
 * running and will not be called.
 *
 * Context: process context, may sleep; not from @revoke.
 */
void pageless_let_go(struct pageless_holder *holder)
{
	struct pageless_range *range;

	mutex_lock(&pageless_holders_lock);
	range = holder->range;
	if (range)
		list_del(&holder->node);
	mutex_unlock(&pageless_holders_lock);
	if (range)
		pageless_range_put(range);
	else
		wait_for_completion(&holder->revoked);
}
EXPORT_SYMBOL_GPL(pageless_let_go);

/**
 * pageless_pfn() - is this frame in a published range?
 * @pfn: the frame
 *
 * The answer may be outdated when it arrives, unless the caller keeps the range.
 *
 * Context: any.
 * Return: true if it is.
 */
bool pageless_pfn(unsigned long pfn)
{
	bool found;

	rcu_read_lock();
	found = pageless_live(pageless_find(pfn));
	rcu_read_unlock();
	return found;
}

/**
 * pageless_intersects() - is any frame of a span in a range?
 * @start: first byte
 * @size: bytes
 *
 * For those who are about to give the span a memmap. A range that is being removed
 * is in the linear map until it is gone.
 *
 * Context: any.
 * Return: true if one is.
 */
bool pageless_intersects(phys_addr_t start, phys_addr_t size)
{
	return pageless_overlaps(PHYS_PFN(start), PFN_UP(start + size) - PHYS_PFN(start));
}

/**
 * pageless_same_range() - may two frames be named by one segment?
 * @a: a frame
 * @b: another frame
 *
 * Two ranges may touch, but they come and go alone. The answer does not change
 * while the caller has a reference to the range of either: a request has as many
 * segments when it is mapped as it had when they were counted.
 *
 * Context: any.
 * Return: true if the same range has both.
 */
bool pageless_same_range(unsigned long a, unsigned long b)
{
	struct pageless_range *range;
	bool same;

	rcu_read_lock();
	range = pageless_find(a);
	same = range && (a == b || range == pageless_find(b));
	rcu_read_unlock();
	return same;
}
EXPORT_SYMBOL_GPL(pageless_same_range);

#ifdef CONFIG_PAGELESS_DEBUG
/**
 * pageless_check_pfn() - warn when a page-less frame is used without its range
 * @pfn: the frame
 *
 * Context: any.
 */
void pageless_check_pfn(unsigned long pfn)
{
	bool found;

	/* Also one that is being removed: the caller keeps it. */
	rcu_read_lock();
	found = pageless_find(pfn);
	rcu_read_unlock();
	WARN_ONCE(!found, "pfn %#lx is in no page-less range\n", pfn);
}
EXPORT_SYMBOL_GPL(pageless_check_pfn);
#endif

/* -------- registration ---------------------------------------------------- */

static int pageless_claim(struct pageless_range *range)
{
	range->res = (struct resource) {
		.name = "Page-less memory",
		.start = range->start,
		.end = range->start + range->size - 1,
		.flags = IORESOURCE_MEM | IORESOURCE_BUSY,
	};
	if (insert_resource(&iomem_resource, &range->res))
		return pageless_refuse(range, -EBUSY, "overlaps a part of a resource");
	return 0;
}

/* Everything but publication; undone by pageless_release(). */
static int pageless_setup(struct pageless_range *range)
{
	int err;

	/* Dead until published. Reinit also because debugfs switches between counting modes. */
	err = percpu_ref_init(&range->ref, pageless_ref_release,
			      PERCPU_REF_ALLOW_REINIT | PERCPU_REF_INIT_DEAD, GFP_KERNEL);
	if (err)
		return err;
	pageless_pins_init(range);
	err = pageless_claim(range);
	if (err)
		goto err_ref;
	err = pageless_linear_add(range);
	if (err)
		goto err_claim;
	return 0;

err_claim:
	remove_resource(&range->res);
err_ref:
	percpu_ref_exit(&range->ref);
	return err;
}

static void pageless_release(struct pageless_range *range)
{
	lockdep_assert_held(&pageless_lock);
	pageless_linear_remove(range);
	remove_resource(&range->res);
	percpu_ref_exit(&range->ref);
}

static int pageless_add(struct pageless_range *range)
{
	int err;

	err = pageless_check(range);
	if (err)
		return err;
	err = pageless_setup(range);
	if (err)
		return err;
	err = pageless_publish(range);
	if (err)
		pageless_release(range);
	return err;
}

/**
 * pageless_register() - put a range of device memory into the linear map
 * @range: the range, its public fields filled in
 *
 * On return the frames have kernel addresses (kmap_local_pfn_t()), are found by
 * pageless_range_get() and have no struct page; no memory was spent on them but
 * for page tables.
 *
 * Context: process context, may sleep. Takes mem_hotplug_lock.
 * Return: 0; -EINVAL for a range that is empty, not page aligned or wraps;
 * -EOPNOTSUPP when user mappings would be encrypted and the memory is not;
 * -ERANGE when it is not in the reach of the linear map; -EBUSY when it overlaps
 * system RAM, memory with a memmap, another range, what is in the linear map
 * already, or a part of a resource; -ENOMEM. A refusal leaves a line in the log.
 */
int pageless_register(struct pageless_range *range)
{
	int err;

	init_completion(&range->idle);
	INIT_LIST_HEAD(&range->node);
	INIT_LIST_HEAD(&range->holders);
	mutex_lock(&pageless_lock);
	mem_hotplug_begin();
	err = pageless_add(range);
	mem_hotplug_done();
	mutex_unlock(&pageless_lock);
	trace_pageless_register(range, err);
	return err;
}
EXPORT_SYMBOL_GPL(pageless_register);

/**
 * pageless_unregister() - take a range away
 * @range: a registered range
 *
 * Revokes user mappings and what holders have, then waits for the references of
 * pageless_range_get(), however long they last; every ten seconds it says so in
 * the log.
 *
 * Context: process context, may sleep. The caller has stopped new direct access
 * (kill_dax()) and I/O (del_gendisk()).
 */
void pageless_unregister(struct pageless_range *range)
{
	pageless_unpublish(range);
	if (range->ops && range->ops->revoke)
		range->ops->revoke(range);
	pageless_revoke_holders(range);
	pageless_wait_idle(range);

	pageless_retire(range);

	mutex_lock(&pageless_lock);
	mem_hotplug_begin();
	pageless_release(range);
	mem_hotplug_done();
	mutex_unlock(&pageless_lock);
	trace_pageless_unregister(range);
}
EXPORT_SYMBOL_GPL(pageless_unregister);

static void devm_pageless_release(void *range)
{
	pageless_unregister(range);
}

/**
 * devm_pageless_register() - pageless_register() that ends with the driver
 * @dev: the device whose driver owns the range
 * @range: as for pageless_register()
 *
 * The counterpart of devm_memremap_pages() for memory without struct pages.
 *
 * Context: as pageless_register(); the end of the driver as pageless_unregister().
 * Return: as pageless_register().
 */
int devm_pageless_register(struct device *dev, struct pageless_range *range)
{
	int err = pageless_register(range);

	if (err)
		return err;
	return devm_add_action_or_reset(dev, devm_pageless_release, range);
}
EXPORT_SYMBOL_GPL(devm_pageless_register);

/* -------- memory failure -------------------------------------------------- */

/**
 * pageless_memory_failure() - hand a poisoned frame to the owner of its range
 * @pfn: the frame
 * @mf_flags: flags of memory_failure()
 *
 * Context: process context, called by memory_failure().
 * Return: -ENXIO when the frame is in no range, -EOPNOTSUPP when the owner does
 * not handle failures, else what the owner answers.
 */
int pageless_memory_failure(unsigned long pfn, int mf_flags)
{
	struct pageless_range *range = pageless_range_get(pfn);
	int err = -EOPNOTSUPP;

	if (!range)
		return -ENXIO;
	if (range->ops && range->ops->memory_failure)
		err = range->ops->memory_failure(range, pfn, 1, mf_flags);
	trace_pageless_memory_failure(range, pfn, err);
	pageless_range_put(range);
	return err;
}
