/* SPDX-License-Identifier: GPL-2.0 */
/* io_uring, one request at a time. */
#ifndef DAX_URING_H
#define DAX_URING_H

#include <liburing.h>
#include "dax_test.h"

/* Submit what was prepared and give its result. */
static inline int uring_result(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int res;

	if (io_uring_submit(ring) < 0 || io_uring_wait_cqe(ring, &cqe))
		dax_die("io_uring");
	res = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return res;
}

#endif /* DAX_URING_H */
