// SPDX-License-Identifier: GPL-2.0
/*
 * A ublk device copies between the pages of a request and the server's buffer.  A
 * DAX mapping can be on both sides: as the buffer of direct I/O to the device, and
 * as the server's.  All is transferred, whatever memory it is.
 */
#include <linux/ublk_cmd.h>
#include "dax_fixture.h"
#include "dax_uring.h"

/* Debian 12's header has the commands, but not the ioctl numbers that the driver takes. */
#define CTRL_CMD(nr)	_IOWR('u', nr, struct ublksrv_ctrl_cmd)
#define IO_CMD(nr)	_IOWR('u', nr, struct ublksrv_io_cmd)
#define F_CMD_IOCTL	(1ULL << 6)

#define DEPTH	4
#define LEN	(16 * PAGE_SZ)		/* the longest request */
#define SIZE	PMD_SZ			/* of the device */
#define AT	(PMD_SZ - LEN / 2)

FIXTURE(ublk)
{
	int dax;
	char *p;		/* a DAX mapping */
	char *store;		/* what the device has */
	struct io_uring ctrl;
	int ctrl_fd;
	int id;
	pid_t server;
	int fd;			/* the device */
};

FIXTURE_VARIANT(ublk)
{
	bool huge;
	bool server;	/* the mapping is the server's buffer, not the client's */
};

FIXTURE_VARIANT_ADD(ublk, client_pte) { .huge = false };
FIXTURE_VARIANT_ADD(ublk, client_pmd) { .huge = true };
FIXTURE_VARIANT_ADD(ublk, server_pte) { .huge = false, .server = true };
FIXTURE_VARIANT_ADD(ublk, server_pmd) { .huge = true, .server = true };

static int control(struct io_uring *ring, int fd, unsigned int nr, int id, void *buf, size_t len,
		   uint64_t data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct ublksrv_ctrl_cmd *cmd = (void *)sqe->cmd;

	io_uring_prep_nop(sqe);
	*cmd = (struct ublksrv_ctrl_cmd){
		.dev_id = id, .queue_id = -1, .addr = (uintptr_t)buf, .len = len, .data = { data },
	};
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	sqe->cmd_op = CTRL_CMD(nr);
	return uring_result(ring);
}

static void fetch(struct io_uring *ring, int fd, unsigned int nr, int tag, int result, char *buf)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct ublksrv_io_cmd *cmd = (void *)sqe->cmd;

	io_uring_prep_nop(sqe);
	*cmd = (struct ublksrv_io_cmd){ .tag = tag, .result = result, .addr = (uintptr_t)buf };
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	sqe->cmd_op = IO_CMD(nr);
	sqe->user_data = tag;
}

/* One queue, a buffer of LEN for each tag. */
static void serve(int id, char *store, char *bufs)
{
	const struct ublksrv_io_desc *desc;
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/ublkc%d", id);
	fd = open(path, O_RDWR);
	desc = mmap(NULL, PAGE_SZ, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, UBLKSRV_CMD_BUF_OFFSET);
	if (fd < 0 || desc == MAP_FAILED || io_uring_queue_init(DEPTH, &ring, 0))
		dax_die("%s", path);
	for (int tag = 0; tag < DEPTH; tag++)
		fetch(&ring, fd, UBLK_IO_FETCH_REQ, tag, 0, bufs + tag * LEN);
	while (io_uring_submit_and_wait(&ring, 1) >= 0 && !io_uring_wait_cqe(&ring, &cqe)) {
		int tag = cqe->user_data, res = cqe->res, done;
		size_t at = desc[tag].start_sector << 9;
		char *buf = bufs + tag * LEN;

		io_uring_cqe_seen(&ring, cqe);
		if (res != UBLK_IO_RES_OK)
			break;
		done = desc[tag].nr_sectors << 9;
		switch (ublksrv_get_op(&desc[tag])) {
		case UBLK_IO_OP_READ:
			memcpy(buf, store + at, done);
			break;
		case UBLK_IO_OP_WRITE:
			memcpy(store + at, buf, done);
			break;
		default:
			done = -EOPNOTSUPP;
		}
		fetch(&ring, fd, UBLK_IO_COMMIT_AND_FETCH_REQ, tag, done, buf);
	}
}

static int set_parameters(struct io_uring *ctrl, int fd, int id)
{
	struct ublk_params params = {
		.len = sizeof(params),
		.types = UBLK_PARAM_TYPE_BASIC,
		.basic = {
			.logical_bs_shift = 9, .physical_bs_shift = 12, .io_opt_shift = 12,
			.io_min_shift = 9, .max_sectors = LEN >> 9, .dev_sectors = SIZE >> 9,
		},
	};

	return control(ctrl, fd, UBLK_CMD_SET_PARAMS, id, &params, sizeof(params), 0);
}

FIXTURE_SETUP(ublk)
{
	struct ublksrv_ctrl_dev_info info = {
		.nr_hw_queues = 1, .queue_depth = DEPTH, .max_io_buf_bytes = LEN,
		.dev_id = -1, .flags = F_CMD_IOCTL,
	};
	char path[32];

	self->ctrl_fd = open("/dev/ublk-control", O_RDWR);
	if (self->ctrl_fd < 0)
		SKIP(return, "no ublk_drv");
	ASSERT_EQ(0, io_uring_queue_init(4, &self->ctrl, IORING_SETUP_SQE128));
	self->dax = dax_create(MAP_LEN);
	self->p = dax_map(self->dax, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, variant->huge);
	dax_populate(self->p, MAP_LEN);
	self->store = dax_anonymous(SIZE, MAP_SHARED);
	dax_fill(self->store, SIZE, 0, 7);
	ASSERT_EQ(0, control(&self->ctrl, self->ctrl_fd, UBLK_CMD_ADD_DEV, -1, &info, sizeof(info), 0));
	self->id = info.dev_id;
	ASSERT_EQ(0, set_parameters(&self->ctrl, self->ctrl_fd, self->id));
	self->server = fork();
	if (!self->server) {
		serve(self->id, self->store, variant->server ? self->p + AT :
							       dax_anonymous(DEPTH * LEN, MAP_PRIVATE));
		_exit(0);
	}
	ASSERT_EQ(0, control(&self->ctrl, self->ctrl_fd, UBLK_CMD_START_DEV, self->id, NULL, 0,
			     self->server));
	snprintf(path, sizeof(path), "/dev/ublkb%d", self->id);
	self->fd = open(path, O_RDWR | O_DIRECT);
	ASSERT_LE(0, self->fd) TH_LOG("%s: %s", path, strerror(errno));
}

FIXTURE_TEARDOWN(ublk)
{
	close(self->fd);
	control(&self->ctrl, self->ctrl_fd, UBLK_CMD_STOP_DEV, self->id, NULL, 0, 0);
	control(&self->ctrl, self->ctrl_fd, UBLK_CMD_DEL_DEV, self->id, NULL, 0, 0);
	kill(self->server, SIGKILL);
	dax_wait(self->server);
}

static void expect_around(struct __test_metadata *_metadata, struct _test_data_ublk *self)
{
	size_t end = AT + DEPTH * LEN;

	EXPECT_EQ(-1, dax_file_mismatch(self->dax, 0, AT, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->dax, end, MAP_LEN - end, 0));
}

TEST_F_TIMEOUT(ublk, read, 30)
{
	char *buf = variant->server ? dax_anonymous(LEN, MAP_PRIVATE) : self->p + AT;
	ssize_t ret = pread(self->fd, buf, LEN, LEN);

	ASSERT_EQ((ssize_t)LEN, ret) TH_LOG("%s", strerror(errno));
	EXPECT_EQ(-1, dax_mismatch(buf, LEN, LEN, 7));
	expect_around(_metadata, self);
}

TEST_F_TIMEOUT(ublk, write, 30)
{
	char *buf = variant->server ? dax_anonymous(LEN, MAP_PRIVATE) : self->p + AT;
	ssize_t ret;

	dax_fill(buf, LEN, AT, 0);
	ret = pwrite(self->fd, buf, LEN, LEN);
	ASSERT_EQ((ssize_t)LEN, ret) TH_LOG("%s", strerror(errno));
	EXPECT_EQ(-1, dax_mismatch(self->store + LEN, LEN, AT, 0));
	EXPECT_EQ(-1, dax_mismatch(self->store, LEN, 0, 7));
	EXPECT_EQ(-1, dax_mismatch(self->store + 2 * LEN, SIZE - 2 * LEN, 2 * LEN, 7));
	expect_around(_metadata, self);
}

DAX_TEST_MAIN
