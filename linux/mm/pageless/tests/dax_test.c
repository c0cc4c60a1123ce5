// SPDX-License-Identifier: GPL-2.0
/*
 * A dax_device that dies while one of its methods runs.
 */
#include <kunit/test.h>
#include <linux/dax.h>
#include <linux/workqueue.h>
#include "eventually.h"

struct dying_dax {
	struct dax_device *dax_dev;
	struct work_struct kill;
	void *private;			/* as the method saw it after the death */
	bool died;			/* while the method ran */
};

static void kill_work(struct work_struct *work)
{
	kill_dax(container_of(work, struct dying_dax, kill)->dax_dev);
}

static struct dying_dax dying;

static long dying_direct_access(struct dax_device *dax_dev, pgoff_t pgoff, long nr_pages,
				enum dax_access_mode mode, void **kaddr, pfn_t *pfn)
{
	queue_work(system_unbound_wq, &dying.kill);
	dying.died = eventually(!dax_alive(dax_dev));
	dying.private = dax_get_private(dax_dev);
	return nr_pages;
}

/* There must be one. */
static int dying_zero_page_range(struct dax_device *dax_dev, pgoff_t pgoff, size_t nr_pages)
{
	return -EIO;
}

static const struct dax_operations dying_dax_ops = {
	.direct_access = dying_direct_access,
	.zero_page_range = dying_zero_page_range,
};

/* Drivers follow the pointer: the memory goes away under page faults. */
static void private_data_stay_for_a_method(struct kunit *test)
{
	long ret;
	int id;

	dying = (struct dying_dax) {};
	INIT_WORK(&dying.kill, kill_work);
	dying.dax_dev = alloc_dax(&dying, &dying_dax_ops);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dying.dax_dev);

	id = dax_read_lock();
	ret = dax_direct_access(dying.dax_dev, 0, 1, DAX_ACCESS, NULL, NULL);
	dax_read_unlock(id);
	flush_work(&dying.kill);
	KUNIT_EXPECT_EQ(test, ret, 1);
	KUNIT_EXPECT_TRUE(test, dying.died);
	KUNIT_EXPECT_PTR_EQ(test, dying.private, (void *)&dying);

	id = dax_read_lock();
	KUNIT_EXPECT_EQ(test, dax_direct_access(dying.dax_dev, 0, 1, DAX_ACCESS, NULL, NULL),
			-ENODEV);
	dax_read_unlock(id);
	put_dax(dying.dax_dev);
}

static struct kunit_case dax_cases[] = {
	KUNIT_CASE(private_data_stay_for_a_method),
	{}
};

static struct kunit_suite dax_suite = {
	.name = "pageless_dax",
	.test_cases = dax_cases,
};
kunit_test_suite(dax_suite);

MODULE_DESCRIPTION("KUnit test of a DAX device that is removed");
MODULE_LICENSE("GPL");
